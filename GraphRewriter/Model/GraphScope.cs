// SPDX-License-Identifier: MIT
// One graph of a model: the main one, or the body of an If, Loop or Scan. Names resolve outwards.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>A graph and its values.</summary>
internal sealed class GraphScope
{
    private readonly Dictionary<string, GraphValue> _values = new(StringComparer.Ordinal);

    internal GraphScope(GraphProto graph, string path, GraphScope? parent, NodeProto? owner)
    {
        Graph = graph;
        Path = path;
        Parent = parent;
        Owner = owner;
        Depth = parent is null ? 0 : parent.Depth + 1;
    }

    /// <summary>The graph's message.</summary>
    public GraphProto Graph { get; }

    /// <summary>Where it stands: "" for the main graph, else the owner's first output and the attribute's name, outermost first.</summary>
    public string Path { get; }

    /// <summary>The graph around it.</summary>
    public GraphScope? Parent { get; }

    /// <summary>The node whose attribute holds it.</summary>
    public NodeProto? Owner { get; }

    /// <summary>How deep it is nested.</summary>
    public int Depth { get; }

    /// <summary>The values that this graph defines.</summary>
    public IReadOnlyCollection<GraphValue> Values => _values.Values;

    /// <summary>The value of that name, here or in a graph around; null for "" and for unknown names.</summary>
    /// <param name="name">The name.</param>
    public GraphValue? Find(string name)
    {
        if (name.Length == 0)
        {
            return null;
        }

        for (GraphScope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._values.TryGetValue(name, out GraphValue? value))
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>Input <paramref name="index"/> of a node of this graph; null where it is absent or unknown.</summary>
    /// <param name="node">The node.</param>
    /// <param name="index">The position.</param>
    public GraphValue? Input(NodeProto node, int index) => index < node.Input.Count ? Find(node.Input[index]) : null;

    /// <summary>Whether this graph is <paramref name="outer"/> or nested in it.</summary>
    /// <param name="outer">The graph around.</param>
    public bool IsWithin(GraphScope outer)
    {
        for (GraphScope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (ReferenceEquals(scope, outer))
            {
                return true;
            }
        }

        return false;
    }

    internal GraphValue Define(string name)
    {
        if (!_values.TryGetValue(name, out GraphValue? value))
        {
            value = new GraphValue(name, this);
            _values.Add(name, value);
        }

        return value;
    }
}
