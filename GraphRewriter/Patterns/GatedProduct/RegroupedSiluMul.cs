// SPDX-License-Identifier: MIT
// The three factors gate, sigmoid(gate) and up in another grouping, each product in either order:
//     gate * (sigmoid(gate) * up)      sigmoid(gate) * (gate * up)
//     gate * (up / (1 + exp(-gate)))   (gate * up) / (1 + exp(-gate))
// Emitted by: optimizers that reassociate products, and models that write the three factors in one line.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.Silu;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GatedProduct;

/// <summary>Two nested products of gate, sigmoid(gate) and up, in which no value is silu(gate).</summary>
internal sealed class RegroupedSiluMul : IGatedProductForm
{
    private static readonly Pattern Sigmoid = SigmoidForms.Any(Pattern.Value("gate"));
    private static readonly Pattern Denominator = SigmoidForms.Denominator(Pattern.Value("gate"));

    /// <inheritdoc/>
    public string Name => "regrouped";

    /// <inheritdoc/>
    public IEnumerable<MatchResult<GatedProductMatch>> Match(NodeProto node, MatchContext context)
    {
        GraphScope scope = context.Index.ScopeOf(node);
        if (!(node.Is("Mul") || node.Is("Div")) || scope.Input(node, 0) is not { } left || scope.Input(node, 1) is not { } right
            || scope.Find(node.Output[0]) is not { } product)
        {
            yield break;
        }

        (GraphValue Outer, GraphValue Inner)[] orders = node.Is("Div") ? [(right, left)] : [(left, right), (right, left)];
        foreach ((GraphValue outer, GraphValue behind) in orders)
        {
            // A cast here would give gate and up other types than the product's.
            Stripped inner = context.Strip(behind);
            if (inner.Value.Producer is not { } second || !(second.Is("Mul") || second.Is("Div")) || inner.Nodes.Any(skipped => skipped.Is("Cast"))
                || inner.Value.Scope.Input(second, 0) is not { } first || inner.Value.Scope.Input(second, 1) is not { } last)
            {
                continue;
            }

            foreach ((GraphValue gate, GraphValue up, IReadOnlyList<NodeProto> sigmoid) in Readings(node, second, outer, first, last, context))
            {
                yield return MatchResult<GatedProductMatch>.Found(new GatedProductMatch(
                    Name, gate, up, product, node, null, -1, [.. sigmoid, second, .. inner.Nodes, node]));
            }
        }
    }

    private static IEnumerable<(GraphValue Gate, GraphValue Up, IReadOnlyList<NodeProto> Sigmoid)> Readings(
        NodeProto node, NodeProto second, GraphValue outer, GraphValue first, GraphValue last, MatchContext context)
    {
        if (second.Is("Div"))
        {
            // gate * (up / (1 + exp(-gate)))
            if (node.Is("Mul") && Of(Denominator, last, outer, context) is { } divided)
            {
                yield return (outer, first, divided);
            }

            yield break;
        }

        foreach ((GraphValue one, GraphValue other) in new[] { (first, last), (last, first) })
        {
            if (node.Is("Div"))
            {
                // (gate * up) / (1 + exp(-gate))
                if (Of(Denominator, outer, one, context) is { } divisor)
                {
                    yield return (one, other, divisor);
                }
            }
            else if (Of(Sigmoid, one, outer, context) is { } inside)
            {
                // gate * (sigmoid(gate) * up)
                yield return (outer, other, inside);
            }
            else if (Of(Sigmoid, outer, one, context) is { } outside)
            {
                // sigmoid(gate) * (gate * up)
                yield return (one, other, outside);
            }
        }
    }

    // The nodes that make a value as the pattern of exactly that gate, or null.
    private static IReadOnlyList<NodeProto>? Of(Pattern pattern, GraphValue value, GraphValue gate, MatchContext context) =>
        new Matcher(context).Match(pattern, value).Value is { } bound && context.Strip(gate) is var stripped
        && stripped.Nodes.All(node => !node.Is("Cast")) && ReferenceEquals(bound.Value("gate"), stripped.Value)
            ? [.. bound.Nodes, .. stripped.Nodes]
            : null;
}
