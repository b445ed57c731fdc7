// SPDX-License-Identifier: MIT
// x ── MatMul ── output      weight: [out, in]
//        └ Transpose ── weight
// Emitted by: torch.onnx.export without constant folding, or where several layers share one weight.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>MatMul with a constant behind Transpose, Identity or another node.</summary>
internal sealed class TransposedMatMulLinear : ILinearForm
{
    /// <inheritdoc/>
    public string Name => "MatMul+Transpose";

    /// <inheritdoc/>
    public MatchResult<LinearMatch> Match(GraphValue output, MatchContext context)
    {
        if (output.Producer is not { } node || !node.Is("MatMul"))
        {
            return MatchResult<LinearMatch>.Miss("no MatMul", output.Producer);
        }

        if (output.Scope.Input(node, 0) is not { } input || output.Scope.Input(node, 1) is not { Producer: { } maker } operand || maker.Is("Constant"))
        {
            return MatchResult<LinearMatch>.Miss("no node before the weights", node);
        }

        if (maker.Is("DequantizeLinear") || !WeightCone.IsConstant(operand))
        {
            return MatchResult<LinearMatch>.Miss("the weights are not constant", node);
        }

        return LinearForms.Build(Name, node, input, WeightSource.Resolve(operand, rowsAreOutputs: false, node, context), null, isRankTwo: false);
    }
}
