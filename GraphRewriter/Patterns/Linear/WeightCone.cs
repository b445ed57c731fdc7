// SPDX-License-Identifier: MIT
// Tells weights from activations: whether a value is computed from constants alone.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Walks up from an operand.</summary>
internal static class WeightCone
{
    private const int MaxNodes = 32;

    /// <summary>Whether the operand depends on constants alone.</summary>
    /// <param name="operand">A node's input.</param>
    public static bool IsConstant(GraphValue operand) => Reaches(operand, node => node.Input.All(name => name.Length == 0) ? null : Enumerable.Range(0, node.Input.Count));

    /// <summary>Whether the operand is a constant, or a constant cut, gathered, transposed or dequantized.</summary>
    /// <param name="operand">A node's input.</param>
    public static bool IsFromConstant(GraphValue operand) => Reaches(
        operand,
        node => node.OpType is "Gather" or "GatherND" or "Transpose" or "Cast" or "DequantizeLinear" or "Reshape" or "Unsqueeze" or "Squeeze"
            or "Slice" or "Identity" or "Split" or "GatherElements"
            ? [0]
            : Enumerable.Range(0, node.Input.Count));

    private static bool Reaches(GraphValue operand, Func<NodeProto, IEnumerable<int>?> followed)
    {
        Stack<GraphValue> open = new([operand]);
        for (int seen = 0; open.TryPop(out GraphValue? value); seen++)
        {
            if (seen > MaxNodes)
            {
                return false;
            }

            if (value.Producer is not { } node)
            {
                if (value.Initializer is null)
                {
                    return false;
                }

                continue;
            }

            foreach (int i in followed(node) ?? [])
            {
                if (i < node.Input.Count && node.Input[i].Length == 0)
                {
                    continue;
                }

                if (value.Scope.Input(node, i) is not { } input)
                {
                    return false;
                }

                open.Push(input);
            }
        }

        return true;
    }
}
