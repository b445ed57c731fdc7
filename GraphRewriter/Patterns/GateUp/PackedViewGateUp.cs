// SPDX-License-Identifier: MIT
// x ── Linear ── Reshape([..., 2, n] or [..., n, 2]) ─┬─ Gather(0) ── gate      also Split or Slice, and Squeeze
//                                                     └─ Gather(1) ── up
// Emitted by: exports of view(..., 2, n).unbind(-2) and of [..., 0] and [..., 1].
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GateUp;

/// <summary>One projection, seen as two rows or two columns.</summary>
internal sealed class PackedViewGateUp : IGateUpForm
{
    /// <inheritdoc/>
    public string Name => "packed, view";

    /// <inheritdoc/>
    public MatchResult<GateUpMatch> Match(GatedProductMatch product, MatchContext context)
    {
        if (product.Up is not { } upValue || Read(product.Gate, context) is not { } gate || Read(upValue, context) is not { } up
            || !ReferenceEquals(gate.Source, up.Source) || gate.Step != up.Step)
        {
            return MatchResult<GateUpMatch>.Miss("gate and up are not two parts of one view", product.ProductNode);
        }

        MatchResult<GateUpMatch> cut = PackedGateUp.Cut(Name, gate.Source, gate.Start, up.Start, gate.Step, [.. gate.Nodes.Concat(up.Nodes).Distinct<NodeProto>(ReferenceEqualityComparer.Instance)], context);
        return cut.Value is { } match && cut.IsMatch
            ? MatchResult<GateUpMatch>.Found(match with { Views = [.. gate.Nodes.Concat(up.Nodes).Where(LinearForms.IsReshape)] })
            : cut;
    }

    private static SliceCut? Read(GraphValue value, MatchContext context)
    {
        Stripped stripped = context.Strip(value);
        if (stripped.Value.Producer is not { } node || stripped.Value.Scope.Input(node, 0) is not { } from)
        {
            return null;
        }

        List<NodeProto> nodes = [node, .. stripped.Nodes];
        GraphScope scope = stripped.Value.Scope;
        if (node.Is("Gather") && scope.Input(node, 1) is { } index && ConstantReader.Tensor(index)?.Dims.Count == 0
            && context.Constants.Integers(index) is [{ } picked])
        {
            return OfView(from, node.Int("axis", 0), picked, nodes, context);
        }

        // Squeeze of one of two parts of length 1.
        if (!node.Is("Squeeze") || (context.Constants.Integers(scope.Input(node, 1)) ?? node.Attribute("axes")?.Ints.Select(i => (long?)i).ToArray()) is not [{ } squeezed])
        {
            return null;
        }

        Stripped part = context.Strip(from);
        if (part.Value.Producer is not { } cutter || part.Value.Scope.Input(cutter, 0) is not { } view)
        {
            return null;
        }

        nodes.AddRange([cutter, .. part.Nodes]);
        if (cutter.Is("Split") && cutter.Output.Count == 2)
        {
            return OfView(view, cutter.Int("axis", 0), part.Value.ProducerOutput, nodes, context, squeezed);
        }

        long?[]? At(int input) => context.Constants.Integers(part.Value.Scope.Input(cutter, input));
        return cutter.Is("Slice") && At(1) is [{ } start] && At(2) is [{ } end] && At(3) is [{ } axis] && (end == start + 1 || (start == -1 && end == long.MaxValue) || (start == 1 && end > 1))
            ? OfView(view, axis, start < 0 ? start + 2 : start, nodes, context, squeezed)
            : null;
    }

    // Part `index` of [..., 2, n] or [..., n, 2]; the dimensions before are those of the projection.
    private static SliceCut? OfView(GraphValue value, long axis, long? index, List<NodeProto> nodes, MatchContext context, long? squeezed = null)
    {
        Stripped view = context.Strip(value);
        if (view.Value.Producer is not { } reshape || !reshape.Is("Reshape") || index is not (>= -2 and < 2) || view.Value.Scope.Input(reshape, 0) is not { } source
            || context.Constants.Integers(view.Value.Scope.Input(reshape, 1)) is not { Length: > 2 } shape
            || PackedGateUp.Features(source, context) is not { } features || RowReshape.RankOf(source, context) != shape.Length - 1)
        {
            return null;
        }

        long part = index.Value < 0 ? index.Value + 2 : index.Value;
        long place = axis < 0 ? axis + shape.Length : axis;
        if (squeezed is { } dropped && (dropped < 0 ? dropped + shape.Length : dropped) != place)
        {
            return null;
        }

        bool IsHalf(long? dim) => dim == features / 2 || dim == -1;
        IReadOnlyList<NodeProto> all = [reshape, .. view.Nodes, .. nodes];
        return place == shape.Length - 2 && shape[^2] == 2 && IsHalf(shape[^1]) ? new SliceCut(source, part * (features / 2), (part + 1) * (features / 2), 1, all)
            : place == shape.Length - 1 && shape[^1] == 2 && IsHalf(shape[^2]) ? new SliceCut(source, part, features, 2, all)
            : null;
    }
}
