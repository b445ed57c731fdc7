// SPDX-License-Identifier: MIT
// Names and their values: of the template, of a loop's body, of a macro.
namespace CatsOnnx.Jinja;

/// <summary>Names that a part of the template sees. What is set in a loop or a macro ends with it, as in Jinja.</summary>
internal sealed class Scope(Scope? outer, Rendering rendering)
{
    private readonly Dictionary<string, object?> _values = [];

    /// <summary>The rendering that the scope belongs to.</summary>
    public Rendering Rendering { get; } = rendering;

    public Scope Inner() => new(this, Rendering);

    public void Set(string name, object? value) => _values[name] = value;

    public object? Get(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope._values.TryGetValue(name, out object? value))
            {
                return value;
            }
        }

        return Globals.Find(name, Rendering) is Callable function ? function : new Undefined($"'{name}'");
    }

    private Scope? Outer { get; } = outer;
}
