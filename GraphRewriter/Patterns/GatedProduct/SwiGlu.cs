// SPDX-License-Identifier: MIT
// gate ─┐
// up ── SwiGLU(alpha = 1) ── product
// Emitted by: exporters of opset 28 and later.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GatedProduct;

/// <summary>ONNX SwiGLU with alpha 1, which is its default.</summary>
internal sealed class SwiGlu : IGatedProductForm
{
    /// <inheritdoc/>
    public string Name => "SwiGLU";

    /// <inheritdoc/>
    public IEnumerable<MatchResult<GatedProductMatch>> Match(NodeProto node, MatchContext context)
    {
        if (!node.Is("SwiGLU"))
        {
            yield break;
        }

        GraphScope scope = context.Index.ScopeOf(node);
        float alpha = node.Float("alpha", 1);
        if (alpha != 1)
        {
            yield return MatchResult<GatedProductMatch>.Refused($"SwiGLU has alpha {alpha}; SiLU has 1", node);
        }
        else if (scope.Input(node, 0) is { } gate && scope.Input(node, 1) is { } up && scope.Find(node.Output[0]) is { } product)
        {
            yield return MatchResult<GatedProductMatch>.Found(new GatedProductMatch(Name, gate, up, product, node, null, -1, [node]));
        }
    }
}
