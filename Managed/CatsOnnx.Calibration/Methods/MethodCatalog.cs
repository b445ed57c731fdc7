// SPDX-License-Identifier: MIT
// The list of calibration methods: a new method is a file in this folder and a line here.
namespace CatsOnnx.Calibration.Methods;

/// <summary>The methods that calibration knows.</summary>
public static class MethodCatalog
{
    /// <summary>All methods, the default one first.</summary>
    public static IReadOnlyList<IThresholdMethod> All { get; } =
    [
        new LayerMethod(),
        new NeuronMethod(),
    ];

    /// <summary>The method of this name.</summary>
    /// <param name="name">As users write it: "layer" or "neuron".</param>
    /// <exception cref="ArgumentException">No method has this name.</exception>
    public static IThresholdMethod Get(string name)
        => All.FirstOrDefault(method => method.Name == name)
            ?? throw new ArgumentException($"No calibration method is called '{name}'; there are: {string.Join(", ", All.Select(method => method.Name))}.", nameof(name));
}
