// SPDX-License-Identifier: MIT
// What the packed forms share: one projection whose outputs are cut into gate and up.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GateUp;

/// <summary>Cuts a packed projection.</summary>
internal static class PackedGateUp
{
    /// <summary>Gate and up as output features first, first + step, ... of a projection, each half of them.</summary>
    /// <param name="form">The form's name.</param>
    /// <param name="packed">The projection's result.</param>
    /// <param name="gateStart">First feature of gate.</param>
    /// <param name="upStart">First feature of up; -1 asks for the second half.</param>
    /// <param name="step">Distance between two features.</param>
    /// <param name="cuts">The nodes that cut.</param>
    /// <param name="context">The graph.</param>
    public static MatchResult<GateUpMatch> Cut(
        string form, GraphValue packed, long gateStart, long upStart, long step, IReadOnlyList<NodeProto> cuts, MatchContext context)
    {
        MatchResult<LinearMatch> found = LinearForms.Match(packed, context);
        if (found.Value is not { } linear)
        {
            return found.Kind == MatchKind.Refused
                ? MatchResult<GateUpMatch>.Refused($"gate_up_proj: {found.Reason}", found.Node, depth: 1)
                : MatchResult<GateUpMatch>.Miss($"gate_up_proj: {found.Reason}", found.Node, 1);
        }

        if (linear.Weight is not { } weight)
        {
            return MatchResult<GateUpMatch>.Found(new GateUpMatch(form, linear.Input, linear, linear, [.. linear.Nodes, .. cuts]));
        }

        long half = weight.OutFeatures / 2;
        long gate = gateStart < 0 ? half : gateStart;
        long up = upStart < 0 ? half : upStart;
        bool halves = weight.OutFeatures % 2 == 0 && half > 0
            && ((step == 1 && Math.Min(gate, up) == 0 && Math.Max(gate, up) == half) || (step == 2 && gate + up == 1));
        if (!halves)
        {
            return MatchResult<GateUpMatch>.Refused(
                $"gate and up start at {gate} and {up} of {weight.OutFeatures} packed features with step {step}; they must be its halves", cuts.Count > 0 ? cuts[0] : linear.Nodes[0], depth: 2);
        }

        return MatchResult<GateUpMatch>.Found(new GateUpMatch(
            form,
            linear.Input,
            linear with { Weight = weight.Rows(gate, step, half), Bias = linear.Bias?.Rows(gate, step, half) },
            linear with { Weight = weight.Rows(up, step, half), Bias = linear.Bias?.Rows(up, step, half) },
            [.. linear.Nodes, .. cuts]));
    }

    /// <summary>The output features of the projection behind a value, or null.</summary>
    /// <param name="packed">The value.</param>
    /// <param name="context">The graph.</param>
    public static long? Features(GraphValue packed, MatchContext context) => LinearForms.Match(packed, context).Value?.Weight?.OutFeatures;

    /// <summary>Whether an axis is the last one of a value, as far as the file tells.</summary>
    /// <param name="axis">The axis.</param>
    /// <param name="value">The value.</param>
    /// <param name="cutsAllFeatures">Whether the cut's sizes add up to the projection's features, which tells it too.</param>
    public static bool IsLastAxis(long axis, GraphValue value, bool cutsAllFeatures) =>
        axis == -1 || (value.Rank is { } rank ? axis == rank - 1 : axis > 0 && cutsAllFeatures);
}
