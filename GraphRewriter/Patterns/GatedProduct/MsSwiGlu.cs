// SPDX-License-Identifier: MIT
// gate ─┐
// up ── com.microsoft.SwiGLU(activation_alpha = 1, activation_beta = 0, no limit) ── product
// without up, the first input holds both halves on the last axis, gate first
// Emitted by: the GenAI model builder. Limits and other alphas (gpt-oss) are no SiLU.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GatedProduct;

/// <summary>com.microsoft.SwiGLU where it is silu(gate) * up.</summary>
internal sealed class MsSwiGlu : IGatedProductForm
{
    /// <inheritdoc/>
    public string Name => "com.microsoft.SwiGLU";

    /// <inheritdoc/>
    public IEnumerable<MatchResult<GatedProductMatch>> Match(NodeProto node, MatchContext context)
    {
        if (!node.IsMicrosoft("SwiGLU"))
        {
            yield break;
        }

        GraphScope scope = context.Index.ScopeOf(node);
        float alpha = node.Float("activation_alpha", 1);
        float beta = node.Float("activation_beta", 0);
        float limit = node.Float("limit", 0);
        if (alpha != 1 || beta != 0 || limit > 0)
        {
            yield return MatchResult<GatedProductMatch>.Refused(
                $"com.microsoft.SwiGLU has activation_alpha {alpha}, activation_beta {beta}, limit {limit}; a gated SiLU has 1, 0 and no limit", node);
        }
        else if (node.Int("interleaved", 0) != 0 || node.Int("swiglu_fusion", 0) > 1)
        {
            yield return MatchResult<GatedProductMatch>.Refused("com.microsoft.SwiGLU interleaves its halves", node);
        }
        else if (scope.Input(node, 0) is { } gate && scope.Find(node.Output[0]) is { } product)
        {
            yield return MatchResult<GatedProductMatch>.Found(new GatedProductMatch(Name, gate, scope.Input(node, 1), product, node, null, -1, [node]));
        }
    }
}
