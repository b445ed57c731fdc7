// SPDX-License-Identifier: MIT
// What an application says about its model; plain values, so that configuration can hold them.
namespace CatsOnnx.DependencyInjection;

/// <summary>The model of an application.</summary>
public sealed class CatsOptions
{
    /// <summary>A model folder, or an .onnx file. Required.</summary>
    public string ModelPath { get; set; } = "";

    /// <summary>Where the model runs: cpu, cuda or cuda:N.</summary>
    public string Device { get; set; } = "cpu";

    /// <summary>Threads of one operator; 0 lets ONNX Runtime choose.</summary>
    public int Threads { get; set; }

    /// <summary>Whether the active neurons of a rewritten model are counted in decoding; responses then hold "cats.sparsity".</summary>
    public bool MeasureSparsity { get; set; }

    /// <summary>The chat template in Jinja; null: the one of the model's folder.</summary>
    public string? ChatTemplate { get; set; }

    /// <summary>What responses call the model; null: the name of its folder.</summary>
    public string? ModelId { get; set; }

    /// <summary>The most tokens of an answer, where a request does not say.</summary>
    public int MaxOutputTokens { get; set; } = 1024;

    /// <summary>Multiplies the thresholds of a rewritten model where a request does not say: 0 is dense; null leaves the model's own.</summary>
    public float? ThresholdScale { get; set; }

    /// <summary>The same for the run of the prompt, where a request does not say: 0 runs prompts densely; null: as <see cref="ThresholdScale"/>.</summary>
    public float? PrefillThresholdScale { get; set; }

    /// <summary>Every how many tokens the dense model is asked too, where a request does not say; 0: never. Responses then hold "cats.kl" (in
    /// nats) and "cats.top1_agreement" (0 to 1). A probe takes the time of one dense step.</summary>
    public int DenseProbeEvery { get; set; }
}
