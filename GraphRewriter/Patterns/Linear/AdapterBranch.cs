// SPDX-License-Identifier: MIT
// x ── MatMul(A) ── [Cast, Mul scale, Reshape] ── MatMul(B) ── [Mul scale] ── Add(projection)
// Emitted by: exports of peft models, the GenAI builder with adapter_path; also switched per run. Recognised and not fused.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Recognises a low-rank branch.</summary>
internal static class AdapterBranch
{
    private const int MaxNodes = 24;

    /// <summary>Whether a value is made by two projections one after the other, with nothing but scaling between.</summary>
    /// <param name="value">An operand of an Add.</param>
    /// <param name="context">Its graph.</param>
    public static bool IsAdapter(GraphValue value, MatchContext context) => Count(value, context) >= 2;

    private static int Count(GraphValue value, MatchContext context)
    {
        int projections = 0;
        for (int seen = 0; seen < MaxNodes && value.Producer is { } node; seen++)
        {
            bool product = node.OpType is "MatMul" or "Gemm" or "FusedMatMul" or "MatMulNBits" && Feature(node, value.Scope);
            projections += product ? 1 : 0;
            bool scaling = node.OpType is "Cast" or "Mul" or "Div" or "Reshape" or "Identity" or "Dropout" or "Unsqueeze" or "Squeeze";
            if ((!product && !scaling) || Data(node, value.Scope) is not { } data)
            {
                break;
            }

            value = data;
        }

        return projections;
    }

    // Low-rank factors may be graph inputs (adapters switched per run) as well as initializers.
    private static bool Feature(NodeProto node, GraphScope scope) =>
        LinearForms.IsWeightProduct(node, scope) || scope.Input(node, 1) is { IsInput: true };

    private static GraphValue? Data(NodeProto node, GraphScope scope) =>
        node.OpType is "Mul" && scope.Input(node, 0) is { } left && ConstantReader.IsConstant(left) ? scope.Input(node, 1) : scope.Input(node, 0);
}
