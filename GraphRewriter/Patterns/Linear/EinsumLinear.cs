// SPDX-License-Identifier: MIT
// x ── Einsum("bsh,hi->bsi") ── output      weight: [in, out]; as "bsh,ih->bsi" [out, in]
//        └ weight
// Emitted by: converters of JAX and Keras models (EinsumDense), and models that call einsum themselves.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Einsum that multiplies the last axis of x by a matrix.</summary>
internal sealed class EinsumLinear : ILinearForm
{
    /// <inheritdoc/>
    public string Name => "Einsum";

    /// <inheritdoc/>
    public MatchResult<LinearMatch> Match(GraphValue output, MatchContext context)
    {
        if (output.Producer is not { } node || !node.Is("Einsum") || node.Input.Count != 2)
        {
            return MatchResult<LinearMatch>.Miss("no Einsum of two operands", output.Producer);
        }

        if (output.Scope.Input(node, 0) is not { } input || output.Scope.Input(node, 1) is not { } operand || !WeightCone.IsConstant(operand))
        {
            return MatchResult<LinearMatch>.Miss("the weights are not constant", node);
        }

        string equation = (node.Attribute("equation")?.S.ToStringUtf8() ?? "").Replace(" ", "", StringComparison.Ordinal);
        return Read(equation) is (bool rowsAreOutputs, bool isRankTwo)
            ? LinearForms.Build(Name, node, input, WeightSource.Resolve(operand, rowsAreOutputs, node, context), null, isRankTwo)
            : MatchResult<LinearMatch>.Refused($"Einsum computes '{equation}'; a projection multiplies the last axis by a matrix", node);
    }

    // rows k, k n -> rows n   or   rows k, n k -> rows n
    private static (bool RowsAreOutputs, bool IsRankTwo)? Read(string equation)
    {
        if (equation.Split(',', 2) is not [{ Length: > 1 } data, var rest] || rest.Split("->", 2) is not [{ Length: 2 } weight, { Length: > 1 } result])
        {
            return null;
        }

        (string rows, char summed, char kept) = (data[..^1], data[^1], result[^1]);
        bool agree = result[..^1] == rows && summed != kept && !rows.Contains(summed) && !rows.Contains(kept) && char.IsLetter(summed) && char.IsLetter(kept)
            && rows.Replace("...", "", StringComparison.Ordinal).All(char.IsLetter) && rows.Distinct().Count(char.IsLetter) == rows.Count(char.IsLetter);
        return !agree ? null
            : weight == $"{summed}{kept}" ? (false, rows.Length == 1)
            : weight == $"{kept}{summed}" ? (true, rows.Length == 1)
            : null;
    }
}
