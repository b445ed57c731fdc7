// SPDX-License-Identifier: MIT
// Replaces subgraphs; refuses where a value would be lost that is read outside or is an output of its graph.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Collects replacements and carries them out together.</summary>
/// <param name="index">The model; stale after <see cref="Apply"/>.</param>
internal sealed class GraphEditor(GraphIndex index)
{
    private readonly HashSet<NodeProto> _removed = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<NodeProto, List<NodeProto>> _inserted = new(ReferenceEqualityComparer.Instance);

    /// <summary>The nodes that will be removed.</summary>
    public IReadOnlyCollection<NodeProto> Removed => _removed;

    /// <summary>Puts other nodes in the place of some.</summary>
    /// <param name="nodes">Nodes of one graph.</param>
    /// <param name="replacement">What comes instead.</param>
    /// <param name="place">The one of <paramref name="nodes"/> in whose place it stands.</param>
    /// <exception cref="InvalidOperationException">A value that other nodes read, or an output of the graph, would be lost.</exception>
    public void Replace(IReadOnlyCollection<NodeProto> nodes, IReadOnlyList<NodeProto> replacement, NodeProto place)
    {
        HashSet<NodeProto> going = new(nodes, ReferenceEqualityComparer.Instance);
        HashSet<string> made = new(replacement.SelectMany(node => node.Output), StringComparer.Ordinal);
        foreach (NodeProto node in nodes)
        {
            if (_removed.Contains(node))
            {
                throw new InvalidOperationException($"{GraphText.Place(node)} is replaced twice.");
            }

            GraphScope scope = index.ScopeOf(node);
            foreach (string name in node.Output.Where(name => name.Length > 0 && !made.Contains(name)))
            {
                GraphValue value = scope.Find(name)!;
                if (value.IsOutput)
                {
                    throw new InvalidOperationException($"'{name}' is an output of the graph and would be lost.");
                }

                if (value.Uses.FirstOrDefault(use => !going.Contains(use.Node) && !_removed.Contains(use.Node)) is { Node: { } reader })
                {
                    throw new InvalidOperationException($"'{name}' is read by {GraphText.Place(reader)} and would be lost.");
                }
            }
        }

        _removed.UnionWith(nodes);
        if (!_inserted.TryGetValue(place, out List<NodeProto>? list))
        {
            _inserted.Add(place, list = []);
        }

        list.AddRange(replacement);
    }

    /// <summary>Puts nodes before one that stays.</summary>
    /// <param name="nodes">The new nodes.</param>
    /// <param name="place">The node.</param>
    public void InsertBefore(IReadOnlyList<NodeProto> nodes, NodeProto place)
    {
        if (!_inserted.TryGetValue(place, out List<NodeProto>? list))
        {
            _inserted.Add(place, list = []);
        }

        list.AddRange(nodes);
    }

    /// <summary>Carries the replacements out.</summary>
    public void Apply()
    {
        foreach (GraphScope scope in index.Scopes)
        {
            if (!scope.Graph.Node.Any(node => _removed.Contains(node) || _inserted.ContainsKey(node)))
            {
                continue;
            }

            List<NodeProto> nodes = [];
            foreach (NodeProto node in scope.Graph.Node)
            {
                if (_inserted.TryGetValue(node, out List<NodeProto>? before))
                {
                    nodes.AddRange(before);
                }

                if (!_removed.Contains(node))
                {
                    nodes.Add(node);
                }
            }

            scope.Graph.Node.Clear();
            scope.Graph.Node.AddRange(nodes);
        }
    }
}
