// SPDX-License-Identifier: MIT
// gate ─┬─ [Cast] ── Sigmoid ── [Cast] ─┐
//       └───────────────────────────── Mul ── output
// Emitted by: torch.onnx.export, Optimum, the GenAI builder, mobius; casts by the float16 converters.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>Mul(gate, Sigmoid(gate)) in either order.</summary>
internal sealed class SigmoidMulSilu : ISiluForm
{
    private static readonly Pattern Drawn = Pattern.Node(
        "Mul",
        Pattern.Value("gate"),
        Pattern.Node("Sigmoid", Pattern.Value("gate"))).InAnyOrder();

    /// <inheritdoc/>
    public string Name => "Sigmoid+Mul";

    /// <inheritdoc/>
    public MatchResult<SiluMatch> Match(GraphValue output, MatchContext context)
    {
        MatchResult<Bindings> found = new Matcher(context).Match(Drawn, output);
        return found.Value is { } bound
            ? MatchResult<SiluMatch>.Found(new SiluMatch(Name, bound.Value("gate"), bound.Nodes))
            : MatchResult<SiluMatch>.Miss(found.Reason, found.Node, found.Depth);
    }
}
