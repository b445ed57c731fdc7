// SPDX-License-Identifier: MIT
// The topology of a gated MLP, once: down(silu(gate(x)) * up(x)). Its parts come in the forms of PatternCatalog.
//
//          ┌── gate (Linear) ── SiLU ──┐
//     x ───┤                           Mul ── down (Linear) ── y
//          └── up   (Linear) ──────────┘
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;
using CatsOnnx.GraphRewriter.Patterns.GateUp;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns;

/// <summary>A gated MLP of a graph.</summary>
/// <param name="Scope">The graph that holds it.</param>
/// <param name="Product">silu(gate) * up.</param>
/// <param name="GateUp">Where gate and up come from.</param>
/// <param name="Down">The last projection.</param>
/// <param name="Input">[..., hidden].</param>
/// <param name="Output">[..., hidden].</param>
/// <param name="Nodes">Every node from input to output, each once; none of them makes a weight.</param>
internal sealed record GatedMlpMatch(
    GraphScope Scope, GatedProductMatch Product, GateUpMatch GateUp, LinearMatch Down, GraphValue Input, GraphValue Output, IReadOnlyList<NodeProto> Nodes)
{
    /// <summary>Width of the model, or 0 where quantized weights hide it.</summary>
    public long HiddenSize => GateUp.Gate.Weight?.InFeatures ?? 0;

    /// <summary>Number of neurons, or 0 where quantized weights hide it.</summary>
    public long IntermediateSize => GateUp.Gate.Weight?.OutFeatures ?? 0;

    /// <summary>Element type of the weights, or 0 where they are quantized.</summary>
    public int ElementType => GateUp.Gate.Weight?.Tensor.DataType ?? 0;

    /// <summary>The forms of its parts, for reports.</summary>
    public string Form => $"{GateUp.Gate.Form}, {Product.Form}, {GateUp.Form}";
}

/// <summary>Recognises a gated MLP from its product.</summary>
internal static class GatedMlp
{
    private const int MaxBetween = 8;

    /// <summary>Looks for an MLP around a node that may be its product.</summary>
    /// <param name="node">The node.</param>
    /// <param name="context">Its graph.</param>
    /// <returns>The MLP; or the deepest refusal or miss.</returns>
    public static MatchResult<GatedMlpMatch> Match(NodeProto node, MatchContext context)
    {
        MatchResult<GatedMlpMatch>? best = null;
        foreach (IGatedProductForm form in PatternCatalog.GatedProducts)
        {
            foreach (MatchResult<GatedProductMatch> product in form.Match(node, context))
            {
                MatchResult<GatedMlpMatch> result = product.Value is { } match && product.IsMatch
                    ? OfProduct(match, context)
                    : MatchResult<GatedMlpMatch>.Refused(product.Reason, product.Node, depth: 1);
                if (result.IsMatch)
                {
                    return result;
                }

                best = Better(best, result);
            }
        }

        return best ?? MatchResult<GatedMlpMatch>.Miss($"{GraphText.Operator(node)} multiplies no activated gate", node);
    }

    /// <summary>The result that tells more: the deeper one, a refusal before a miss.</summary>
    internal static MatchResult<T> Better<T>(MatchResult<T>? a, MatchResult<T> b)
        where T : class =>
        a is null || (b.Kind, b.Depth).CompareTo((a.Kind, a.Depth)) > 0 ? b : a;

    private static MatchResult<GatedMlpMatch> OfProduct(GatedProductMatch product, MatchContext context)
    {
        MatchResult<GateUpMatch>? best = null;
        foreach (IGateUpForm form in PatternCatalog.GateUps)
        {
            MatchResult<GateUpMatch> gateUp = form.Match(product, context);
            if (gateUp.Value is { } match && gateUp.IsMatch)
            {
                return OfDown(product, match, context);
            }

            best = Better(best, gateUp);
        }

        return best!.Kind == MatchKind.Refused
            ? MatchResult<GatedMlpMatch>.Refused(best.Reason, best.Node, depth: 2 + best.Depth)
            : MatchResult<GatedMlpMatch>.Miss(best.Reason, best.Node, 2 + best.Depth);
    }

    private static MatchResult<GatedMlpMatch> OfDown(GatedProductMatch product, GateUpMatch gateUp, MatchContext context)
    {
        List<NodeProto> between = [];
        GraphValue hidden = product.Product;
        NodeProto? projection = null;
        for (int step = 0; projection is null; step++)
        {
            List<ValueUse> products = [.. hidden.Uses.Where(use => use.Input == 0 && LinearForms.IsWeightProduct(use.Node, use.Scope))];
            if (products.Count > 1)
            {
                return Refuse("an adapter (LoRA) is not merged into down_proj, or two projections read the gated product", products[1].Node, 8);
            }

            if (products.Count == 1)
            {
                projection = products[0].Node;
            }
            else if (step < MaxBetween && hidden.Uses is [var only] && (Between(only.Node) || context.IsLookedThrough(only.Node)) && only.Scope.Find(only.Node.Output[0]) is { } next)
            {
                between.Add(only.Node);
                hidden = next;
            }
            else
            {
                NodeProto? reader = hidden.Uses.Count > 0 ? hidden.Uses[0].Node : product.ProductNode;
                return MatchResult<GatedMlpMatch>.Miss("no down projection with constant weights reads the gated product", reader, 7);
            }
        }

        GraphScope scope = context.Index.ScopeOf(projection);
        GraphValue output = scope.Find(projection.Output[0])!;
        if (output is { IsOutput: false, Uses: [var reading] } && reading.Node.Is("Add") && ReferenceEquals(reading.Scope, scope)
            && scope.Input(reading.Node, 1 - reading.Input) is { } other && ConstantReader.IsConstant(other) && ConstantReader.Tensor(other)?.Dims.Count > 0)
        {
            output = scope.Find(reading.Node.Output[0])!;
        }

        MatchResult<LinearMatch> down = LinearForms.Match(output, context);
        if (down.Value is not { } linear || !down.IsMatch)
        {
            return Refuse($"down_proj: {down.Reason}", down.Node, 8);
        }

        List<NodeProto> nodes = [.. gateUp.Nodes.Concat(product.Nodes).Concat(between).Concat(linear.Nodes).Distinct<NodeProto>(ReferenceEqualityComparer.Instance)];
        nodes.AddRange(ShapeReaders.Of(nodes, context));
        GatedMlpMatch match = new(context.Index.ScopeOf(product.ProductNode), product, gateUp, linear, gateUp.Input, output, nodes);
        return GatedMlpChecks.Fault(match, between, context) is { } fault
            ? MatchResult<GatedMlpMatch>.Refused(fault.Reason, fault.Node, match, 9)
            : MatchResult<GatedMlpMatch>.Found(match);
    }

    private static bool Between(NodeProto node) =>
        node.Is("Cast") || LinearForms.IsReshape(node)
        || node.OpType is "QuantizeLinear" or "DequantizeLinear" or "DynamicQuantizeLinear";

    private static MatchResult<GatedMlpMatch> Refuse(string reason, NodeProto? node, int depth) =>
        MatchResult<GatedMlpMatch>.Refused(reason, node, depth: depth);
}
