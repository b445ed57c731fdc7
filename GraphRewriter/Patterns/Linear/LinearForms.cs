// SPDX-License-Identifier: MIT
// What is the same for every form of a projection: reshapes and no-ops after it, a bias Add in either order, adapters.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.Linear;

/// <summary>Finds the projection behind a value.</summary>
internal static class LinearForms
{
    private const int MaxSteps = 16;

    /// <summary>
    /// The projection whose result is <paramref name="value"/>, through no-ops, reshapes that keep rows, and a constant bias.
    /// </summary>
    /// <param name="value">The value.</param>
    /// <param name="context">Its graph.</param>
    public static MatchResult<LinearMatch> Match(GraphValue value, MatchContext context)
    {
        List<NodeProto> around = [];
        BiasVector? bias = null;
        List<NodeProto> reshapes = [];
        for (int step = 0; step < MaxSteps; step++)
        {
            Stripped stripped = context.Strip(value);
            around.AddRange(stripped.Nodes);
            value = stripped.Value;
            if (value.Producer is not { } node)
            {
                return MatchResult<LinearMatch>.Miss($"'{value.Name}' is no result of a projection", null);
            }

            if (IsReshape(node) && value.Scope.Input(node, 0) is { } before)
            {
                around.Add(node);
                reshapes.Add(node);
                value = before;
            }
            else if (node.Is("Add") && bias is null)
            {
                MatchResult<GraphValue> inner = SplitAdd(node, value.Scope, context, out bias);
                if (!inner.IsMatch)
                {
                    return inner.Kind == MatchKind.Refused
                        ? MatchResult<LinearMatch>.Refused(inner.Reason, inner.Node)
                        : MatchResult<LinearMatch>.Miss(inner.Reason, inner.Node);
                }

                around.Add(node);
                value = inner.Value!;
            }
            else
            {
                return Finish(MatchForms(value, context), bias, around, reshapes, context);
            }
        }

        return MatchResult<LinearMatch>.Miss($"no projection within {MaxSteps} nodes", value.Producer);
    }

    internal static bool IsReshape(NodeProto node) =>
        node.Is("Reshape") || node.Is("Flatten") || node.Is("Squeeze") || node.Is("Unsqueeze");

    /// <summary>Whether a node multiplies by weights in any form, also such as no projection form takes.</summary>
    /// <param name="node">The node.</param>
    /// <param name="scope">Its graph.</param>
    internal static bool IsWeightProduct(NodeProto node, GraphScope scope) => DataInput(node, scope) >= 0;

    /// <summary>Which input of a product with weights is the data; -1 where the node is no such product.</summary>
    /// <param name="node">The node.</param>
    /// <param name="scope">Its graph.</param>
    internal static int DataInput(NodeProto node, GraphScope scope) => node.OpType switch
    {
        "MatMulNBits" or "MatMulBnb4" or "MatMulFpQ4" or "MatMulInteger" or "QLinearMatMul" or "DynamicQuantizeMatMul" or "MatMulIntegerToFloat"
            or "QGemm" or "FusedGemm" => 0,
        "MatMul" or "Gemm" or "FusedMatMul" or "TransposeMatMul" or "Einsum" when scope.Input(node, 1) is { } right && WeightCone.IsFromConstant(right) => 0,
        "MatMul" or "Einsum" when scope.Input(node, 0) is { Producer: not null } left && WeightCone.IsFromConstant(left) && !WeightCone.IsConstant(left) => 1,
        _ => -1,
    };

    internal static MatchResult<LinearMatch> Build(
        string form, NodeProto node, GraphValue input, MatchResult<WeightMatrix> weight, GraphValue? bias, bool isRankTwo)
    {
        if (weight.Value is not { } matrix)
        {
            return weight.Kind == MatchKind.Refused
                ? MatchResult<LinearMatch>.Refused(weight.Reason, weight.Node)
                : MatchResult<LinearMatch>.Miss(weight.Reason, weight.Node);
        }

        BiasVector? vector = null;
        if (bias is not null)
        {
            MatchResult<BiasVector> read = Bias(bias, node);
            if (read.Value is null)
            {
                return MatchResult<LinearMatch>.Refused(read.Reason, node);
            }

            vector = read.Value;
        }

        return MatchResult<LinearMatch>.Found(new LinearMatch(form, input, matrix, vector, [node], isRankTwo, null));
    }

    private static MatchResult<LinearMatch> MatchForms(GraphValue value, MatchContext context)
    {
        MatchResult<LinearMatch>? refused = null;
        foreach (ILinearForm form in PatternCatalog.Linears)
        {
            MatchResult<LinearMatch> result = form.Match(value, context);
            if (result.IsMatch)
            {
                return result;
            }

            refused ??= result.Kind == MatchKind.Refused ? result : null;
        }

        NodeProto? node = value.Producer;
        return refused ?? MatchResult<LinearMatch>.Miss(
            node is null ? $"'{value.Name}' is no result of a projection" : $"{GraphText.Operator(node)} is no projection with constant weights", node);
    }

    private static MatchResult<LinearMatch> Finish(
        MatchResult<LinearMatch> result, BiasVector? bias, List<NodeProto> around, List<NodeProto> reshapes, MatchContext context)
    {
        if (result.Value is not { } linear || !result.IsMatch)
        {
            return result;
        }

        if (bias is not null && linear.Bias is not null)
        {
            return MatchResult<LinearMatch>.Refused("the projection has two biases", around[^1]);
        }

        BiasVector? all = bias ?? linear.Bias;
        if (linear.Weight is { } weight)
        {
            if (all is not null && all.Length != weight.OutFeatures)
            {
                return MatchResult<LinearMatch>.Refused($"the bias '{all.Tensor.Name}' has {all.Length} elements; the projection gives {weight.OutFeatures}", around.FirstOrDefault() ?? linear.Nodes[0]);
            }

            if (all is not null && all.Tensor.DataType != weight.Tensor.DataType)
            {
                return MatchResult<LinearMatch>.Refused($"the bias '{all.Tensor.Name}' is {ElementTypes.Name(all.Tensor.DataType)}; the weights are {ElementTypes.Name(weight.Tensor.DataType)}", linear.Nodes[0]);
            }

            foreach (NodeProto reshape in reshapes)
            {
                if (!RowReshape.KeepsRows(reshape, weight.OutFeatures, context))
                {
                    return MatchResult<LinearMatch>.Refused($"a {reshape.OpType} after the projection may not keep rows of {weight.OutFeatures}", reshape);
                }
            }
        }

        return MatchResult<LinearMatch>.Found(linear with
        {
            Bias = all,
            IsRankTwo = linear.IsRankTwo || RowReshape.IsMatrix(linear.Input, context),
            Nodes = [.. linear.Nodes, .. around.AsEnumerable().Reverse()],
        });
    }

    private static MatchResult<BiasVector> Bias(GraphValue value, NodeProto node)
    {
        if (ConstantReader.Tensor(value) is not { } tensor)
        {
            return MatchResult<BiasVector>.Refused($"the bias '{value.Name}' is not constant", node);
        }

        long length = tensor.Dims.Count == 0 ? 1 : tensor.Dims[^1];
        return tensor.Dims.Take(Math.Max(tensor.Dims.Count - 1, 0)).All(dim => dim == 1)
            ? MatchResult<BiasVector>.Found(new BiasVector(value, tensor, 0, 1, length))
            : MatchResult<BiasVector>.Refused($"the bias '{tensor.Name}' has the shape [{string.Join(", ", tensor.Dims)}]; it must be one row", node);
    }

    // Add(projection, constant) in either order; Add(projection, adapter) is refused, any other Add is another thing.
    private static MatchResult<GraphValue> SplitAdd(NodeProto node, GraphScope scope, MatchContext context, out BiasVector? bias)
    {
        bias = null;
        if (scope.Input(node, 0) is not { } left || scope.Input(node, 1) is not { } right)
        {
            return MatchResult<GraphValue>.Miss("an Add with unknown inputs", node);
        }

        foreach ((GraphValue constant, GraphValue inner) in new[] { (left, right), (right, left) })
        {
            GraphValue source = context.Strip(constant).Nodes.All(n => n.Is("Identity")) ? context.Strip(constant).Value : constant;
            if (ConstantReader.IsConstant(source))
            {
                MatchResult<BiasVector> read = Bias(source, node);
                bias = read.Value;
                return bias is null ? MatchResult<GraphValue>.Refused(read.Reason, node) : MatchResult<GraphValue>.Found(inner);
            }
        }

        return AdapterBranch.IsAdapter(left, context) || AdapterBranch.IsAdapter(right, context)
            ? MatchResult<GraphValue>.Refused("an adapter (LoRA) is not merged into the projection", node)
            : MatchResult<GraphValue>.Miss("an Add of two computed values", node);
    }
}
