// SPDX-License-Identifier: MIT
// Gives the active neurons of each token as an output of a rewritten graph, one for each layer; in memory, the file gains none.
using System.Globalization;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using static CatsOnnx.GraphRewriter.Proto.TensorProto.Types;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>One layer's output.</summary>
/// <param name="Output">int32, the leading shape of the MLP's input: the active neurons of each token.</param>
/// <param name="IntermediateSize">Number of neurons.</param>
public sealed record ActiveCount(string Output, int IntermediateSize);

/// <summary>Adds outputs with active neurons.</summary>
public static class ExposeActiveCounts
{
    /// <summary>Adds an output for each rewritten layer; the unfused form counts with standard operators.</summary>
    /// <param name="model">A rewritten model, or a clone of one; its graph is changed.</param>
    /// <returns>The outputs, in the order of the layers; none for a model that is not rewritten. Layers in loops have none.</returns>
    public static IReadOnlyList<ActiveCount> Apply(OnnxModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        GraphIndex index = new(model.Proto);
        NameSource names = new(index);
        OutputLift lift = new(index, names);
        RewriteReport? report = RewriteMetadata.Report(model.Proto);
        IEnumerable<IGrouping<string, (NodeProto Node, GraphScope Scope)>> layers = index.Scopes
            .SelectMany(scope => scope.Graph.Node.Select(node => (Node: node, Scope: scope)))
            .Where(site => site.Node.Domain == OpSchemas.Domain && (IsFused(site.Node) || site.Node.OpType == OpSchemas.CatsThreshold.Name))
            .GroupBy(site => site.Node.Input[IsFused(site.Node) ? 4 : 1], StringComparer.Ordinal);
        List<ActiveCount> counts = [];
        foreach (IGrouping<string, (NodeProto Node, GraphScope Scope)> layer in layers.OrderBy(group => Number(group.Key)))
        {
            (NodeProto Node, GraphScope Scope)[] sites = [.. layer];
            if (sites.Any(site => OutputLift.Fault(site.Scope) is not null))
            {
                continue;
            }

            string output = names.Fresh($"cats.active.{counts.Count}");
            List<(GraphScope Scope, string Name)> values = [];
            foreach ((NodeProto node, GraphScope scope) in sites)
            {
                string name = lift.NameIn(scope, output);
                values.Add((scope, name));
                if (IsFused(node))
                {
                    node.Output[1] = name;
                }
                else
                {
                    Count(node, scope.Graph, name, names);
                }
            }

            lift.Lift(values, output, DataType.Int32, null);
            counts.Add(new ActiveCount(output, Size(sites[0].Node, sites[0].Scope, report)));
        }

        return counts;
    }

    private static bool IsFused(NodeProto node) => node.OpType == OpSchemas.SparseGatedMlp.Name;

    private static int Number(string threshold) =>
        int.TryParse(threshold[(threshold.LastIndexOf('.') + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : int.MaxValue;

    private static int Size(NodeProto node, GraphScope scope, RewriteReport? report)
    {
        string threshold = node.Input[IsFused(node) ? 4 : 1];
        long? size = IsFused(node) ? scope.Find(node.Input[1])?.Initializer?.Dims[0] : scope.Find(threshold)?.Initializer?.Dims.FirstOrDefault();
        int number = Number(threshold);
        return size is > 0
            ? checked((int)size.Value)
            : report is not null && number < report.Layers.Count
                ? checked((int)report.Layers[number].IntermediateSize)
                : throw new InvalidDataException($"The number of neurons of {GraphText.Place(node)} is not known: the model's metadata is gone.");
    }

    // The decision of CatsThreshold once more, counted over the last axis.
    private static void Count(NodeProto node, GraphProto graph, string output, NameSource names)
    {
        int at = graph.Node.IndexOf(node) + 1;
        string Fresh(string what) => names.Fresh($"{output}.{what}");
        string rows = Fresh("rows"), wide = Fresh("float"), abs = Fresh("abs"), column = Fresh("column"), scale = Fresh("scale"), p = Fresh("p"), drop = Fresh("drop"),
            keep = Fresh("keep"), ones = Fresh("ones"), last = Fresh("last"), first = Fresh("first"), count = Fresh("count"), shape = Fresh("shape"), lead = Fresh("lead");
        NodeProto[] nodes =
        [
            NodeBuilder.Node("Flatten", [node.Input[0]], [rows], NodeBuilder.Int("axis", -1)),
            NodeBuilder.Node("Cast", [rows], [wide], NodeBuilder.Int("to", (int)DataType.Float)),
            NodeBuilder.Node("Abs", [wide], [abs]),
            NodeBuilder.Integers(column, -1, 1),
            NodeBuilder.Node("Reshape", [node.Input[2], column], [scale]),
            NodeBuilder.Node("Mul", [scale, node.Input[1]], [p]),
            NodeBuilder.Node("Less", [abs, p], [drop]),
            NodeBuilder.Node("Not", [drop], [keep]),
            NodeBuilder.Node("Cast", [keep], [ones], NodeBuilder.Int("to", (int)DataType.Int32)),
            NodeBuilder.Integers(last, -1),
            NodeBuilder.Node("ReduceSum", [ones, last], [count], NodeBuilder.Int("keepdims", 0)),
            NodeBuilder.Node("Shape", [node.Input[0]], [shape]),
            NodeBuilder.Integers(first, 0),
            NodeBuilder.Node("Slice", [shape, first, last], [lead]),
            NodeBuilder.Node("Reshape", [count, lead], [output]),
        ];
        foreach (NodeProto added in nodes)
        {
            graph.Node.Insert(at++, added);
        }
    }
}
