// SPDX-License-Identifier: MIT
// gate ── SiLU ─┐
// up ────────── Mul ── product      in either order
// Emitted by: every exporter that has no operator for the whole product.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.Silu;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GatedProduct;

/// <summary>A Mul of which one operand is a SiLU.</summary>
internal sealed class SiluMul : IGatedProductForm
{
    /// <inheritdoc/>
    public string Name => "Mul";

    /// <inheritdoc/>
    public IEnumerable<MatchResult<GatedProductMatch>> Match(NodeProto node, MatchContext context)
    {
        if (!node.Is("Mul"))
        {
            yield break;
        }

        GraphScope scope = context.Index.ScopeOf(node);
        GraphValue?[] operands = [scope.Input(node, 0), scope.Input(node, 1)];
        if (operands[0] is null || operands[1] is null || scope.Find(node.Output[0]) is not { } product)
        {
            yield break;
        }

        for (int i = 0; i < 2; i++)
        {
            foreach (ISiluForm form in PatternCatalog.Silus)
            {
                MatchResult<SiluMatch> silu = form.Match(operands[i]!, context);
                if (silu.Value is { } match && silu.IsMatch)
                {
                    yield return MatchResult<GatedProductMatch>.Found(new GatedProductMatch(
                        match.Form, match.Gate, operands[1 - i], product, node, operands[i], i, [.. match.Nodes, node]));
                }
                else if (silu.Kind == MatchKind.Refused)
                {
                    yield return MatchResult<GatedProductMatch>.Refused(silu.Reason, silu.Node);
                }
            }
        }
    }
}
