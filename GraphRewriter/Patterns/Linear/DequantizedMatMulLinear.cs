// SPDX-License-Identifier: MIT
// x ── MatMul ── output      or      DynamicQuantizeLinear(x) ── MatMulInteger ── Cast ── Mul(scale) ── output
//        └ DequantizeLinear ── weight
// Emitted by: ONNX Runtime's static, dynamic and QDQ block quantizers. Recognised and not fused.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>A projection whose weights go through DequantizeLinear, or that is computed in integers.</summary>
internal sealed class DequantizedMatMulLinear : ILinearForm
{
    /// <inheritdoc/>
    public string Name => "DequantizedMatMul";

    /// <inheritdoc/>
    public MatchResult<LinearMatch> Match(GraphValue output, MatchContext context)
    {
        if (output.Producer is not { } node)
        {
            return MatchResult<LinearMatch>.Miss("no node", null);
        }

        if (node.Is("MatMul") || node.Is("Gemm"))
        {
            GraphValue? weight = output.Scope.Input(node, 1);
            for (int depth = 0; depth < 4 && weight?.Producer is { } maker; depth++, weight = weight.Scope.Input(maker, 0))
            {
                if (maker.Is("DequantizeLinear") && output.Scope.Input(node, 0) is { } input)
                {
                    return MatchResult<LinearMatch>.Found(new LinearMatch(Name, Behind(input), null, null, [node], false, "quantized weights (DequantizeLinear)"));
                }
            }

            return MatchResult<LinearMatch>.Miss("the weights are not dequantized", node);
        }

        if (node.Is("Mul") && Integer(output) is { } product && product.Scope.Input(product.Producer!, 0) is { } data)
        {
            return MatchResult<LinearMatch>.Found(new LinearMatch(Name, Behind(data), null, null, [node, product.Producer!], false, "8-bit weights (MatMulInteger)"));
        }

        return MatchResult<LinearMatch>.Miss($"{GraphText.Operator(node)} is no quantized projection", node);
    }

    private static GraphValue? Integer(GraphValue output) =>
        output.Producer!.Input.Select((_, i) => output.Scope.Input(output.Producer, i))
            .Where(input => input?.Producer?.Is("Cast") == true)
            .Select(input => input!.Scope.Input(input.Producer!, 0))
            .FirstOrDefault(input => input?.Producer?.Is("MatMulInteger") == true);

    // The float value that the quantization of the activation starts from.
    private static GraphValue Behind(GraphValue value)
    {
        for (int depth = 0; depth < 4 && value.Producer is { } node; depth++)
        {
            if (node.OpType is not ("DequantizeLinear" or "QuantizeLinear" or "DynamicQuantizeLinear") || value.Scope.Input(node, 0) is not { } behind)
            {
                break;
            }

            value = behind;
        }

        return value;
    }
}
