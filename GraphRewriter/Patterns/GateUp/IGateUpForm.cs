// SPDX-License-Identifier: MIT
// One way in which gate and up come from the input.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GateUp;

/// <summary>Gate and up as two projections of one input.</summary>
/// <param name="Form">The form's name.</param>
/// <param name="Input">[..., hidden].</param>
/// <param name="Gate">The gate projection.</param>
/// <param name="Up">The up projection.</param>
/// <param name="Nodes">The nodes between input and the two values.</param>
internal sealed record GateUpMatch(string Form, GraphValue Input, LinearMatch Gate, LinearMatch Up, IReadOnlyList<NodeProto> Nodes)
{
    /// <summary>How the weights are quantized, or null.</summary>
    public string? Quantization => Gate.Quantization ?? Up.Quantization;

    /// <summary>Reshapes among the nodes that the form itself has undone: gate and up have the rows of the projections.</summary>
    public IReadOnlyList<NodeProto> Views { get; init; } = [];
}

/// <summary>Recognises one form of gate and up.</summary>
internal interface IGateUpForm
{
    /// <summary>The form's name in reports.</summary>
    string Name { get; }

    /// <summary>Looks behind a gated product.</summary>
    /// <param name="product">The product.</param>
    /// <param name="context">Its graph.</param>
    MatchResult<GateUpMatch> Match(GatedProductMatch product, MatchContext context);
}
