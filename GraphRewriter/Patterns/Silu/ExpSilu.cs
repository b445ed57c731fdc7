// SPDX-License-Identifier: MIT
// gate ─┬─ Neg ── Exp ── Add(1) ─┐
//       └─────────────────────  Div ── output
// Emitted by: converters that decompose sigmoid, and models that write x / (1 + exp(-x)) by hand.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>Div(gate, 1 + Exp(Neg(gate))).</summary>
internal sealed class ExpSilu : ISiluForm
{
    private static readonly Pattern Drawn = Pattern.Node("Div", Pattern.Value("gate"), SigmoidForms.Denominator(Pattern.Value("gate")));

    /// <inheritdoc/>
    public string Name => "Exp+Div";

    /// <inheritdoc/>
    public MatchResult<SiluMatch> Match(GraphValue output, MatchContext context)
    {
        MatchResult<Bindings> found = new Matcher(context).Match(Drawn, output);
        return found.Value is { } bound
            ? MatchResult<SiluMatch>.Found(new SiluMatch(Name, bound.Value("gate"), bound.Nodes))
            : MatchResult<SiluMatch>.Miss(found.Reason, found.Node, found.Depth);
    }
}
