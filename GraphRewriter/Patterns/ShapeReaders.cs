// SPDX-License-Identifier: MIT
// packed ─┬─────────────────────────── Slice ── gate        Shape and what follows it belong to the MLP where nothing
//         └─ Shape ── Gather ── Div ──┘                     else reads them: they fall away with it.
// Emitted by: torch.onnx.export without dynamo for chunk(); bounds of a cut that constant folding left.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns;

/// <summary>Finds arithmetic on the shapes of inner values.</summary>
internal static class ShapeReaders
{
    private const int MaxNodes = 32;

    /// <summary>The nodes that compute from inner values' shapes and are read by inner nodes alone.</summary>
    /// <param name="nodes">The MLP's nodes.</param>
    /// <param name="context">The graph.</param>
    public static IReadOnlyList<NodeProto> Of(IReadOnlyCollection<NodeProto> nodes, MatchContext context)
    {
        HashSet<NodeProto> inside = new(nodes, ReferenceEqualityComparer.Instance);
        List<NodeProto> readers = [];
        foreach (NodeProto shape in nodes.SelectMany(node => Uses(node, context)).Select(use => use.Node).Where(node => node.Is("Shape")).ToList())
        {
            if (!inside.Contains(shape) && Closed(shape, inside, context) is { } cone)
            {
                inside.UnionWith(cone);
                readers.AddRange(cone);
            }
        }

        return readers;
    }

    private static List<NodeProto>? Closed(NodeProto shape, HashSet<NodeProto> inside, MatchContext context)
    {
        List<NodeProto> cone = [shape];
        for (int next = 0; next < cone.Count; next++)
        {
            NodeProto node = cone[next];
            if (cone.Count > MaxNodes || node.Output.Any(name => context.Index.ScopeOf(node).Find(name) is { IsOutput: true }))
            {
                return null;
            }

            cone.AddRange(Uses(node, context).Select(use => use.Node)
                .Where(reader => !inside.Contains(reader) && !cone.Contains(reader, ReferenceEqualityComparer.Instance)).Distinct<NodeProto>(ReferenceEqualityComparer.Instance).ToList());
        }

        return cone;
    }

    private static IEnumerable<ValueUse> Uses(NodeProto node, MatchContext context) =>
        node.Output.Select(context.Index.ScopeOf(node).Find).OfType<GraphValue>().SelectMany(value => value.Uses);
}
