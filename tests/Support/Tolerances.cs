// SPDX-License-Identifier: MIT
// The one tolerance table of the C# tests; docs/op-spec.md has the same numbers.
namespace CatsOnnx.Tests.Support;

/// <summary>How far results may differ.</summary>
public static class Tolerances
{
    /// <summary>One operator with equal masks: max abs difference over the max abs of the result in double.</summary>
    /// <param name="dtype">float, float16 or bfloat16.</param>
    public static double Operator(string dtype) => dtype switch
    {
        "float" or "float32" => 1e-5,
        "float16" => 2e-3,
        "bfloat16" => 1.6e-2,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "There is no tolerance for this type."),
    };

    /// <summary>A graph of a few layers: max abs difference of an output over its max abs.</summary>
    /// <param name="dtype">float, float16 or bfloat16.</param>
    public static double WholeGraph(string dtype) => dtype switch
    {
        "float" or "float32" => 1e-5,
        "float16" => 1e-2,
        "bfloat16" => 8e-2,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "There is no tolerance for this type."),
    };

    /// <summary>max abs(actual - expected) / max abs(expected); infinity where one is NaN or they differ in length.</summary>
    /// <param name="actual">What was computed.</param>
    /// <param name="expected">What it is compared with.</param>
    public static double Difference(IReadOnlyList<double> actual, IReadOnlyList<double> expected)
    {
        if (actual.Count != expected.Count)
        {
            return double.PositiveInfinity;
        }

        double difference = 0;
        double largest = 0;
        for (int i = 0; i < expected.Count; i++)
        {
            double d = Math.Abs(actual[i] - expected[i]);
            difference = d <= difference ? difference : double.IsNaN(d) ? double.PositiveInfinity : d;
            largest = Math.Max(largest, Math.Abs(expected[i]));
        }

        return difference == 0 ? 0 : difference / largest;
    }
}
