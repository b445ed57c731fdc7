// SPDX-License-Identifier: MIT
// gate ── Swish(alpha = 1) ── output
// Emitted by: exporters of opset 24 and later.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>ONNX Swish with alpha 1, which is its default.</summary>
public sealed class SwishSilu : ISiluForm
{
    private static readonly Pattern Drawn = Pattern.Node("Swish", Pattern.Value("gate")).As("swish");

    /// <inheritdoc/>
    public string Name => "Swish";

    /// <inheritdoc/>
    public MatchResult<SiluMatch> Match(GraphValue output, MatchContext context)
    {
        MatchResult<Bindings> found = new Matcher(context).Match(Drawn, output);
        if (found.Value is not { } bound)
        {
            return MatchResult<SiluMatch>.Miss(found.Reason, found.Node, found.Depth);
        }

        float alpha = bound.Node("swish").Float("alpha", 1);
        return alpha == 1
            ? MatchResult<SiluMatch>.Found(new SiluMatch(Name, bound.Value("gate"), bound.Nodes))
            : MatchResult<SiluMatch>.Refused($"Swish has alpha {alpha}; SiLU has 1", bound.Node("swish"));
    }
}
