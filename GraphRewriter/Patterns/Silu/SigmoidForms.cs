// SPDX-License-Identifier: MIT
// sigmoid(x) as exporters write it: Sigmoid, or 1 / (1 + exp(-x)) or (1 + tanh(x / 2)) / 2 in single operators.
using CatsOnnx.GraphRewriter.Matching;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>Patterns of sigmoid that the forms of SiLU and of the gated product share.</summary>
internal static class SigmoidForms
{
    /// <summary>1 + exp(-x).</summary>
    /// <param name="x">The value.</param>
    public static Pattern Denominator(Pattern x) => Pattern.Node("Add", Pattern.Node("Exp", Negative(x)), Pattern.Scalar(1)).InAnyOrder();

    /// <summary>sigmoid(x) without the operator Sigmoid: Div(1, 1 + exp(-x)), Reciprocal(1 + exp(-x)), Pow(1 + exp(-x), -1), 0.5 tanh(0.5 x) + 0.5.</summary>
    /// <param name="x">The value.</param>
    public static Pattern Spelled(Pattern x) => Pattern.OneOf(
        Pattern.Node("Div", Pattern.Scalar(1), Denominator(x)),
        Pattern.Node("Reciprocal", Denominator(x)),
        Pattern.Node("Pow", Denominator(x), Pattern.Scalar(-1)),
        Pattern.Node("Add", Half(Pattern.Node("Tanh", Half(x))), Pattern.Scalar(0.5)).InAnyOrder(),
        Half(Pattern.Node("Add", Pattern.Node("Tanh", Half(x)), Pattern.Scalar(1)).InAnyOrder()));

    /// <summary>sigmoid(x) in any form.</summary>
    /// <param name="x">The value.</param>
    public static Pattern Any(Pattern x) => Pattern.OneOf(Pattern.Node("Sigmoid", x), Spelled(x));

    private static Pattern Half(Pattern x) => Pattern.OneOf(
        Pattern.Node("Mul", x, Pattern.Scalar(0.5)).InAnyOrder(),
        Pattern.Node("Div", x, Pattern.Scalar(2)));

    private static Pattern Negative(Pattern x) => Pattern.OneOf(
        Pattern.Node("Neg", x),
        Pattern.Node("Mul", x, Pattern.Scalar(-1)).InAnyOrder(),
        Pattern.Node("Sub", Pattern.Scalar(0), x));
}
