// SPDX-License-Identifier: MIT
// x ── MatMul ── output      weight: [in, out]
//        └ weight (initializer or Constant)
// Emitted by: torch.onnx.export (TorchScript and dynamo), Optimum, the GenAI model builder, mobius.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>MatMul with a constant [in, out].</summary>
internal sealed class MatMulLinear : ILinearForm
{
    /// <inheritdoc/>
    public string Name => "MatMul";

    /// <inheritdoc/>
    public MatchResult<LinearMatch> Match(GraphValue output, MatchContext context)
    {
        if (output.Producer is not { } node || !node.Is("MatMul"))
        {
            return MatchResult<LinearMatch>.Miss("no MatMul", output.Producer);
        }

        if (output.Scope.Input(node, 0) is not { } input || output.Scope.Input(node, 1) is not { } operand)
        {
            return MatchResult<LinearMatch>.Miss("a MatMul with unknown inputs", node);
        }

        if (operand.Producer is { } maker && !maker.Is("Constant"))
        {
            return MatchResult<LinearMatch>.Miss("the weights are not constant", node);
        }

        return LinearForms.Build(Name, node, input, WeightSource.Resolve(operand, rowsAreOutputs: false, node, context), null, isRankTwo: false);
    }
}
