// SPDX-License-Identifier: MIT
// Walks from activations to the projections around them, to name the MLPs that no pattern takes: GeGLU, plain two-layer
// MLPs, mixtures of experts, quantized ones. Coarser than matching on purpose: it only gives reasons, it replaces nothing.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns;

/// <summary>Finds MLPs by their activations.</summary>
internal static class ActivationScan
{
    private const int MaxNodes = 48;

    private static readonly HashSet<string> Activations = new(StringComparer.Ordinal)
    {
        "Sigmoid", "Swish", "QuickGelu", "Gelu", "FastGelu", "BiasGelu", "BiasSplitGelu", "Tanh", "Erf", "Relu", "HardSwish", "LeakyRelu",
        "Elu", "Selu", "Celu", "Mish", "Softplus", "PRelu", "ThresholdedRelu", "SwiGLU", "QLinearSigmoid",
    };

    // Operators that are a projection and its activation in one.
    private static readonly HashSet<string> ActivatedProjections = new(StringComparer.Ordinal) { "GemmFastGelu", "FusedGemm", "FusedMatMulActivation" };

    private static readonly HashSet<string> Elementwise = new(StringComparer.Ordinal)
    {
        "Mul", "Add", "Sub", "Div", "Pow", "Neg", "Reciprocal", "Sqrt", "Exp", "Abs", "Min", "Max", "Clip", "Where", "Cast", "Identity", "Reshape",
        "Flatten", "Squeeze", "Unsqueeze", "Split", "Slice", "Transpose", "Gather", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear",
        "QLinearMul", "QLinearAdd", "Dropout",
    };

    /// <summary>The MLPs whose activation lies in no MLP found by pattern, one for each last projection.</summary>
    /// <param name="context">The graph.</param>
    /// <param name="taken">The nodes of MLPs found by pattern.</param>
    /// <param name="failed">What the patterns said at each product they refused.</param>
    public static IEnumerable<MlpFinding> Find(
        MatchContext context, HashSet<NodeProto> taken, IReadOnlyDictionary<NodeProto, MatchResult<GatedMlpMatch>> failed)
    {
        HashSet<NodeProto> downs = new(ReferenceEqualityComparer.Instance);
        foreach (NodeProto node in context.Index.Scopes.SelectMany(scope => scope.Graph.Node))
        {
            if (node.OpType is "MoE" or "QMoE" && node.Domain == "com.microsoft")
            {
                yield return new MlpFinding(null, $"it is a mixture of experts ({GraphText.Operator(node)})", node, node);
            }

            GraphScope scope = context.Index.ScopeOf(node);
            if (ActivatedProjections.Contains(node.OpType) && node.Domain == "com.microsoft" && !taken.Contains(node))
            {
                _ = Cone(node, scope, forward: true, out List<NodeProto> down);
                if (down.Count > 0 && !down.Any(downs.Contains))
                {
                    downs.UnionWith(down);
                    yield return new MlpFinding(null, $"its first projection and activation are one operator ({GraphText.Operator(node)}{ActivationOf(node)}); SiLU between projections is needed", node, node);
                }

                continue;
            }

            if (!Activations.Contains(node.OpType) || taken.Contains(node))
            {
                continue;
            }

            List<NodeProto> after = Cone(node, scope, forward: true, out List<NodeProto> last);
            _ = Cone(node, scope, forward: false, out List<NodeProto> first);
            last.RemoveAll(first.Contains);
            if (first.Count == 0 || last.Count == 0 || after.Concat(last).Any(taken.Contains) || last.Any(down => !downs.Add(down)))
            {
                continue;
            }

            yield return Explain(node, scope, after, first, last, failed);
        }
    }

    private static MlpFinding Explain(
        NodeProto activation, GraphScope scope, List<NodeProto> after, List<NodeProto> first, List<NodeProto> last,
        IReadOnlyDictionary<NodeProto, MatchResult<GatedMlpMatch>> failed)
    {
        MatchResult<GatedMlpMatch>? best = null;
        foreach (NodeProto product in after.Prepend(activation))
        {
            if (failed.TryGetValue(product, out MatchResult<GatedMlpMatch>? result) && result.Depth > 0)
            {
                best = GatedMlp.Better(best, result);
            }
        }

        NodeProto? quantized = first.Concat(last).FirstOrDefault(node => IsQuantized(node, scope));
        if (quantized is not null)
        {
            return new MlpFinding(null, $"its weights are quantized ({GraphText.Operator(quantized)}); only float, float16 and bfloat16 weights are fused", quantized, activation);
        }

        NodeProto? picked = first.Concat(last).FirstOrDefault(node => IsPicked(node, scope));
        if (picked is not null)
        {
            return new MlpFinding(null, "its weights are picked at run time from those of several experts (mixture of experts)", picked, activation);
        }

        if (best is not null)
        {
            return new MlpFinding(null, best.Reason, best.Node ?? activation, activation);
        }

        string name = GraphText.Operator(activation);
        string reason = activation.OpType is "Sigmoid"
            ? "its Sigmoid is part of no product silu(gate) * up"
            : activation.OpType is "Tanh" or "Erf" ? $"its activation is built on {name}; SiLU is needed" : $"its activation is {name}; SiLU is needed";
        return new MlpFinding(null, reason, activation, activation);
    }

    private static string ActivationOf(NodeProto node) =>
        node.Attribute("activation")?.S.ToStringUtf8() is { Length: > 0 } name ? $" with {name}" : "";

    private static bool IsQuantized(NodeProto node, GraphScope scope) =>
        node.OpType is "MatMulNBits" or "MatMulBnb4" or "MatMulFpQ4" or "MatMulInteger" or "QLinearMatMul" or "DynamicQuantizeMatMul"
            or "MatMulIntegerToFloat" or "QGemm"
        || scope.Input(node, 1)?.Producer?.Is("DequantizeLinear") == true;

    private static bool IsPicked(NodeProto node, GraphScope scope) =>
        scope.Input(node, 1 - LinearForms.DataInput(node, scope)) is { } weight && !WeightCone.IsConstant(weight);

    // Elementwise nodes reached from a node, and the projections where the walk ends.
    private static List<NodeProto> Cone(NodeProto start, GraphScope scope, bool forward, out List<NodeProto> projections)
    {
        HashSet<NodeProto> seen = new(ReferenceEqualityComparer.Instance) { start };
        List<NodeProto> cone = [];
        projections = [];
        Queue<(NodeProto Node, GraphScope Scope)> open = new([(start, scope)]);
        while (open.TryDequeue(out (NodeProto Node, GraphScope Scope) at) && cone.Count < MaxNodes)
        {
            foreach ((NodeProto next, GraphScope nextScope, int input) in forward ? Readers(at.Node, at.Scope) : Makers(at.Node, at.Scope))
            {
                if (!seen.Add(next))
                {
                    continue;
                }

                int data = LinearForms.DataInput(next, nextScope);
                if (data >= 0)
                {
                    if (!forward || input == data)
                    {
                        projections.Add(next);
                    }
                }
                else if (Elementwise.Contains(next.OpType) || Activations.Contains(next.OpType))
                {
                    cone.Add(next);
                    open.Enqueue((next, nextScope));
                }
            }
        }

        return cone;
    }

    private static IEnumerable<(NodeProto, GraphScope, int)> Readers(NodeProto node, GraphScope scope) =>
        node.Output.Select(scope.Find).OfType<GraphValue>().SelectMany(value => value.Uses).Select(use => (use.Node, use.Scope, use.Input));

    private static IEnumerable<(NodeProto, GraphScope, int)> Makers(NodeProto node, GraphScope scope)
    {
        for (int i = 0; i < node.Input.Count; i++)
        {
            if (scope.Input(node, i) is { Producer: { } maker } value)
            {
                yield return (maker, value.Scope, i);
            }
        }
    }
}
