// SPDX-License-Identifier: MIT
// x ── com.microsoft.FusedMatMul ── output      weight: [in, out], with transB = 1 [out, in]
//        └ weight
// Emitted by: ONNX Runtime's extended optimizations, which draw a weight's Transpose into the product.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>FusedMatMul with alpha 1 and constant weights.</summary>
internal sealed class FusedMatMulLinear : ILinearForm
{
    /// <inheritdoc/>
    public string Name => "FusedMatMul";

    /// <inheritdoc/>
    public MatchResult<LinearMatch> Match(GraphValue output, MatchContext context)
    {
        if (output.Producer is not { } node || !(node.IsMicrosoft("FusedMatMul") || node.IsMicrosoft("TransposeMatMul")))
        {
            return MatchResult<LinearMatch>.Miss("no FusedMatMul", output.Producer);
        }

        if (output.Scope.Input(node, 0) is not { } input || output.Scope.Input(node, 1) is not { } operand)
        {
            return MatchResult<LinearMatch>.Miss("a FusedMatMul with unknown inputs", node);
        }

        if (!WeightCone.IsConstant(operand))
        {
            return MatchResult<LinearMatch>.Miss("the weights are not constant", node);
        }

        if (node.Float("alpha", 1) != 1 || node.Int("transA", 0) != 0 || node.Int("transBatchA", 0) != 0 || node.Int("transBatchB", 0) != 0)
        {
            return MatchResult<LinearMatch>.Refused($"FusedMatMul has alpha {node.Float("alpha", 1)} or transposes its input; a projection does neither", node);
        }

        return LinearForms.Build(Name, node, input, WeightSource.Resolve(operand, node.Int("transB", 0) != 0, node, context), null, isRankTwo: false);
    }
}
