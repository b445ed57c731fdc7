// SPDX-License-Identifier: MIT
// x ── com.microsoft.MatMulNBits ── output      weight: [out, blocks, bytes], scales, zero points
// Emitted by: the GenAI model builder with int4 or int8, ONNX Runtime's MatMulNBitsQuantizer.
// Recognised and not fused: the record says so, and keeps the nodes for a fused 4-bit operator.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>A projection with block-quantized weights.</summary>
internal sealed class MatMulNBitsLinear : ILinearForm
{
    /// <inheritdoc/>
    public string Name => "MatMulNBits";

    /// <inheritdoc/>
    public MatchResult<LinearMatch> Match(GraphValue output, MatchContext context)
    {
        if (output.Producer is not { Domain: "com.microsoft", OpType: "MatMulNBits" or "MatMulBnb4" or "MatMulFpQ4" } node)
        {
            return MatchResult<LinearMatch>.Miss("no MatMulNBits", output.Producer);
        }

        if (output.Scope.Input(node, 0) is not { } input)
        {
            return MatchResult<LinearMatch>.Miss("a MatMulNBits with unknown inputs", node);
        }

        long bits = node.Int("bits", 4);
        return MatchResult<LinearMatch>.Found(new LinearMatch(Name, input, null, null, [node], false, $"{bits}-bit weights ({node.OpType})"));
    }
}
