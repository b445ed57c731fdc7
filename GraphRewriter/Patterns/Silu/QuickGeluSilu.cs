// SPDX-License-Identifier: MIT
// gate ── com.microsoft.QuickGelu(alpha = 1) ── output
// Emitted by: ONNX Runtime's extended optimizations, Optimum's O2. Its default alpha, 1.702, is no SiLU.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>QuickGelu with alpha 1.</summary>
public sealed class QuickGeluSilu : ISiluForm
{
    private static readonly Pattern Drawn = Pattern.Microsoft("QuickGelu", Pattern.Value("gate")).As("gelu");

    /// <inheritdoc/>
    public string Name => "QuickGelu";

    /// <inheritdoc/>
    public MatchResult<SiluMatch> Match(GraphValue output, MatchContext context)
    {
        MatchResult<Bindings> found = new Matcher(context).Match(Drawn, output);
        if (found.Value is not { } bound)
        {
            return MatchResult<SiluMatch>.Miss(found.Reason, found.Node, found.Depth);
        }

        float alpha = bound.Node("gelu").Float("alpha", 1.702f);
        return alpha == 1
            ? MatchResult<SiluMatch>.Found(new SiluMatch(Name, bound.Value("gate"), bound.Nodes))
            : MatchResult<SiluMatch>.Refused($"QuickGelu has alpha {alpha}; SiLU has 1", bound.Node("gelu"));
    }
}
