// SPDX-License-Identifier: MIT
// What the names of a pattern stand for, and the nodes that it covers.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Matching;

/// <summary>An immutable chain of bindings: backtracking is dropping the newest.</summary>
internal sealed class Bindings
{
    /// <summary>Nothing bound.</summary>
    public static readonly Bindings Empty = new(null, null, null, null);

    private readonly Bindings? _older;
    private readonly string? _name;
    private readonly GraphValue? _value;
    private readonly NodeProto? _node;

    private Bindings(Bindings? older, string? name, GraphValue? value, NodeProto? node)
    {
        _older = older;
        _name = name;
        _value = value;
        _node = node;
    }

    /// <summary>Every node the pattern covers, each once.</summary>
    public IReadOnlyList<NodeProto> Nodes
    {
        get
        {
            List<NodeProto> nodes = [];
            for (Bindings? bound = this; bound is not null; bound = bound._older)
            {
                if (bound._node is not null && !nodes.Contains(bound._node, ReferenceEqualityComparer.Instance))
                {
                    nodes.Add(bound._node);
                }
            }

            nodes.Reverse();
            return nodes;
        }
    }

    /// <summary>The value a name stands for.</summary>
    /// <param name="name">A name of the pattern.</param>
    /// <exception cref="KeyNotFoundException">The pattern has no such name.</exception>
    public GraphValue Value(string name) => Find(name)?._value ?? throw new KeyNotFoundException($"No value is bound to '{name}'.");

    /// <summary>The node a name stands for.</summary>
    /// <param name="name">A name of the pattern.</param>
    /// <exception cref="KeyNotFoundException">The pattern has no such name.</exception>
    public NodeProto Node(string name) => Find(name)?._node ?? throw new KeyNotFoundException($"No node is bound to '{name}'.");

    internal Bindings? Bind(string name, GraphValue value)
    {
        GraphValue? bound = Find(name)?._value;
        return bound is null ? new Bindings(this, name, value, null) : ReferenceEquals(bound, value) ? this : null;
    }

    internal Bindings Cover(string? name, NodeProto node) => new(this, name, null, node);

    private Bindings? Find(string name)
    {
        for (Bindings? bound = this; bound is not null; bound = bound._older)
        {
            if (bound._name == name)
            {
                return bound;
            }
        }

        return null;
    }
}
