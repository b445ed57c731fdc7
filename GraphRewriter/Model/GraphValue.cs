// SPDX-License-Identifier: MIT
// A value of a graph, as the index sees it: who makes it and who reads it.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>One read of a value: input <paramref name="Input"/> of <paramref name="Node"/>, which stands in <paramref name="Scope"/>.</summary>
/// <param name="Node">The node that reads.</param>
/// <param name="Input">The position among the node's inputs.</param>
/// <param name="Scope">The graph that holds the node; it may be nested in the value's own.</param>
internal readonly record struct ValueUse(NodeProto Node, int Input, GraphScope Scope);

/// <summary>A named value of one graph.</summary>
internal sealed class GraphValue
{
    private readonly List<ValueUse> _uses = [];

    internal GraphValue(string name, GraphScope scope)
    {
        Name = name;
        Scope = scope;
    }

    /// <summary>The value's name.</summary>
    public string Name { get; }

    /// <summary>The graph that defines it.</summary>
    public GraphScope Scope { get; }

    /// <summary>The node that makes it; null for inputs and initializers.</summary>
    public NodeProto? Producer { get; internal set; }

    /// <summary>Which output of <see cref="Producer"/> it is.</summary>
    public int ProducerOutput { get; internal set; }

    /// <summary>Its initializer, where it has one.</summary>
    public TensorProto? Initializer { get; internal set; }

    /// <summary>Whether it is an input of its graph (an initializer may be one too).</summary>
    public bool IsInput { get; internal set; }

    /// <summary>Whether it is an output of its graph.</summary>
    public bool IsOutput { get; internal set; }

    /// <summary>Its declared type: an input, an output or a value_info.</summary>
    public ValueInfoProto? Info { get; internal set; }

    /// <summary>Every read of it, also from nested graphs.</summary>
    public IReadOnlyList<ValueUse> Uses => _uses;

    /// <summary>Element type where the file states it, else 0.</summary>
    public int ElementType => Initializer?.DataType ?? Info?.Type?.TensorType?.ElemType ?? 0;

    /// <summary>Rank where the file states it, else null.</summary>
    public int? Rank => Initializer?.Dims.Count ?? Info?.Type?.TensorType?.Shape?.Dim.Count;

    internal void AddUse(ValueUse use) => _uses.Add(use);
}
