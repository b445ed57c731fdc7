// SPDX-License-Identifier: MIT
// Reads a Slice of the last axis: where it starts, where it ends, its step.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GateUp;

/// <summary>A Slice along one axis with constant bounds.</summary>
/// <param name="Source">What is cut.</param>
/// <param name="Start">First element, from the front.</param>
/// <param name="End">One past the last, capped at the length.</param>
/// <param name="Step">Distance.</param>
/// <param name="Nodes">The Slice and what was looked through after it.</param>
internal sealed record SliceCut(GraphValue Source, long Start, long End, long Step, IReadOnlyList<NodeProto> Nodes)
{
    /// <summary>Reads the Slice behind a value; null where there is none of that kind.</summary>
    /// <param name="value">The value.</param>
    /// <param name="context">Its graph.</param>
    public static SliceCut? Read(GraphValue value, MatchContext context)
    {
        Stripped stripped = context.Strip(value);
        if (stripped.Value.Producer is not { } node || !node.Is("Slice") || stripped.Value.Scope.Input(node, 0) is not { } source)
        {
            return null;
        }

        GraphScope scope = stripped.Value.Scope;
        long? One(int input, string attribute, long? absent)
        {
            long?[]? values = node.Input.Count > 1
                ? (input < node.Input.Count && node.Input[input].Length > 0 ? context.Constants.Integers(scope.Input(node, input)) ?? [null] : [absent])
                : node.Attribute(attribute)?.Ints.Select(i => (long?)i).ToArray() ?? [absent];
            return values.Length == 1 ? values[0] : null;
        }

        if (PackedGateUp.Features(source, context) is not { } features
            || One(1, "starts", null) is not { } start || One(2, "ends", null) is not { } end
            || One(3, "axes", null) is not { } axis || One(4, "steps", 1) is not { } step)
        {
            return null;
        }

        start = start < 0 ? start + features : start;
        end = Math.Min(end < 0 ? end + features : end, features);
        bool reachesFeatures = end == features || end == features / 2;
        return PackedGateUp.IsLastAxis(axis, source, reachesFeatures && axis > 1)
            ? new SliceCut(source, start, end, step, [node, .. stripped.Nodes])
            : null;
    }
}
