// SPDX-License-Identifier: MIT
// x [rows, in] ── Gemm ── output [rows, out]      weight: [in, out], with transB = 1 [out, in]
//                  ├ weight
//                  └ bias (optional)
// Emitted by: dynamo and ONNX Runtime's fusions for projections with a bias; reshapes to two dimensions stand around it.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Gemm with constant weights and bias.</summary>
internal sealed class GemmLinear : ILinearForm
{
    /// <inheritdoc/>
    public string Name => "Gemm";

    /// <inheritdoc/>
    public MatchResult<LinearMatch> Match(GraphValue output, MatchContext context)
    {
        if (output.Producer is not { } node || !node.Is("Gemm"))
        {
            return MatchResult<LinearMatch>.Miss("no Gemm", output.Producer);
        }

        if (output.Scope.Input(node, 0) is not { } input || output.Scope.Input(node, 1) is not { } operand)
        {
            return MatchResult<LinearMatch>.Miss("a Gemm with unknown inputs", node);
        }

        GraphValue? bias = output.Scope.Input(node, 2);
        float alpha = node.Float("alpha", 1);
        float beta = node.Float("beta", 1);
        if (alpha != 1 || (bias is not null && beta != 1) || node.Int("transA", 0) != 0)
        {
            return MatchResult<LinearMatch>.Refused($"Gemm has alpha {alpha}, beta {beta}, transA {node.Int("transA", 0)}; a projection has 1, 1, 0", node);
        }

        return LinearForms.Build(Name, node, input, WeightSource.Resolve(operand, node.Int("transB", 0) != 0, node, context), bias, isRankTwo: true);
    }
}
