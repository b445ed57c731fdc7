// SPDX-License-Identifier: MIT
// gate ─┬─ Neg ── Exp ── Add(1) ── Reciprocal or Div(1, ·), or another spelling of SigmoidForms ─┐
//       └────────────────────────────────────────────────────────────────────────────────────── Mul ── output
// Emitted by: converters that decompose sigmoid (tf2onnx, graphs written for targets without Sigmoid).
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>Mul(gate, 1 / (1 + Exp(Neg(gate)))) in either order.</summary>
internal sealed class ReciprocalSilu : ISiluForm
{
    private static readonly Pattern Drawn = Pattern.Node("Mul", Pattern.Value("gate"), SigmoidForms.Spelled(Pattern.Value("gate"))).InAnyOrder();

    /// <inheritdoc/>
    public string Name => "Exp+Reciprocal";

    /// <inheritdoc/>
    public MatchResult<SiluMatch> Match(GraphValue output, MatchContext context)
    {
        MatchResult<Bindings> found = new Matcher(context).Match(Drawn, output);
        return found.Value is { } bound
            ? MatchResult<SiluMatch>.Found(new SiluMatch(Name, bound.Value("gate"), bound.Nodes))
            : MatchResult<SiluMatch>.Miss(found.Reason, found.Node, found.Depth);
    }
}
