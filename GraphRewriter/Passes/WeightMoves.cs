// SPDX-License-Identifier: MIT
// Lays weights out neuron by neuron, once for each source, and remembers how to get back.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>One rectangle of a source tensor that became a tensor of its own.</summary>
/// <param name="Source">The tensor of the source graph.</param>
/// <param name="Tensor">The new tensor.</param>
/// <param name="Scope">The path of the graph that holds the new tensor.</param>
/// <param name="Piece">How the elements moved.</param>
internal sealed record WeightMove(TensorProto Source, TensorProto Tensor, string Scope, StridedPiece Piece);

/// <summary>Makes new tensors out of parts of old ones.</summary>
internal sealed class WeightMoves
{
    private readonly List<WeightMove> _all = [];

    /// <summary>Every move.</summary>
    public IReadOnlyList<WeightMove> All => _all;

    /// <summary>Gate or up as [intermediate, hidden].</summary>
    /// <param name="weight">The projection's matrix.</param>
    /// <param name="part">What the new name says.</param>
    /// <param name="context">The model.</param>
    /// <returns>The initializer's name.</returns>
    public string ByOutput(WeightMatrix weight, string part, PassContext context) => Rectangle(
        weight.Value, weight.Tensor, part, [weight.OutFeatures, weight.InFeatures], weight.Offset, weight.OutFeatures, weight.InFeatures, weight.OutStride, weight.InStride, context);

    /// <summary>Down as [intermediate, hidden].</summary>
    /// <param name="weight">The projection's matrix.</param>
    /// <param name="context">The model.</param>
    /// <returns>The initializer's name.</returns>
    public string ByInput(WeightMatrix weight, PassContext context) => Rectangle(
        weight.Value, weight.Tensor, "down", [weight.InFeatures, weight.OutFeatures], weight.Offset, weight.InFeatures, weight.OutFeatures, weight.InStride, weight.OutStride, context);

    /// <summary>A bias as a vector; "" for none.</summary>
    /// <param name="bias">The bias.</param>
    /// <param name="part">What the new name says.</param>
    /// <param name="context">The model.</param>
    public string Vector(BiasVector? bias, string part, PassContext context) => bias is null
        ? ""
        : Rectangle(bias.Value, bias.Tensor, part, [bias.Length], bias.Offset, 1, bias.Length, Math.Max(bias.Length * bias.Stride, 1), bias.Stride, context);

    private string Rectangle(
        GraphValue value, TensorProto source, string part, long[] dims, long offset, long rows, long columns, long rowStride, long columnStride, PassContext context)
    {
        bool asItIs = offset == 0 && columnStride == 1 && (rowStride == columns || rows == 1) && source.Dims.SequenceEqual(dims) && value.Initializer is not null;
        if (asItIs)
        {
            return value.Name;
        }

        WeightMove? known = _all.Find(move => ReferenceEquals(move.Source, source) && move.Tensor.Dims.SequenceEqual(dims)
            && move.Piece.SourceOffset == offset && move.Piece.SourceRowStride == rowStride && move.Piece.SourceColumnStride == columnStride);
        if (known is not null)
        {
            return known.Tensor.Name;
        }

        TensorProto tensor = new() { Name = context.Names.Fresh($"{value.Name}.{part}"), DataType = source.DataType };
        tensor.Dims.AddRange(dims);
        int size = ElementTypes.Size(source.DataType);
        StridedPiece piece = new(context.Model.Content(source), size, rows, columns, offset, rowStride, columnStride, 0, columns, 1);
        context.Model.SetContent(tensor, new TensorContent.Pieces([piece], rows * columns * size));
        value.Scope.Graph.Initializer.Add(tensor);
        _all.Add(new WeightMove(source, tensor, value.Scope.Path, piece));
        return tensor.Name;
    }
}
