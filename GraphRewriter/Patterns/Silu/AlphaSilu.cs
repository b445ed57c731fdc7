// SPDX-License-Identifier: MIT
// gate ── operator(alpha) ── output, with output = gate * sigmoid(alpha * gate): SiLU where alpha is 1.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>One operator that is SiLU for one value of its attribute alpha.</summary>
/// <param name="drawn">The operator over the value "gate".</param>
/// <param name="defaultAlpha">The attribute's default.</param>
internal abstract class AlphaSilu(Pattern.Operation drawn, float defaultAlpha) : ISiluForm
{
    private readonly Pattern _drawn = drawn.As("operator");

    /// <inheritdoc/>
    public string Name => drawn.OpType;

    /// <inheritdoc/>
    public MatchResult<SiluMatch> Match(GraphValue output, MatchContext context)
    {
        MatchResult<Bindings> found = new Matcher(context).Match(_drawn, output);
        if (found.Value is not { } bound)
        {
            return MatchResult<SiluMatch>.Miss(found.Reason, found.Node, found.Depth);
        }

        float alpha = bound.Node("operator").Float("alpha", defaultAlpha);
        return alpha == 1
            ? MatchResult<SiluMatch>.Found(new SiluMatch(Name, bound.Value("gate"), bound.Nodes))
            : MatchResult<SiluMatch>.Refused($"{Name} has alpha {alpha}; SiLU has 1", bound.Node("operator"));
    }
}
