// SPDX-License-Identifier: MIT
// X + skip -> RMS norm -> SparseGatedMlp becomes one node, whose kernel for one row saves a launch and a round trip of the hidden
// state in each layer (docs/decisions/0014). In memory alone: the node has no model-local function.
//
//   input  skip                               input  skip
//     └──┬──┘                                   └──┬──┘
//   SkipSimplifiedLayerNormalization    ->    SkipRMSNormSparseGatedMlp
//     │normed      │sum                         │Y  │active  │sum
//   SparseGatedMlp ...
//     │Y  │active
//
// Emitted by: ONNX Runtime GenAI's model builder 0.4 to 0.18.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Puts the residual addition and the norm before a sparse MLP into the MLP's node.</summary>
public static class FuseSkipRMSNorm
{
    private const string Norm = "SkipSimplifiedLayerNormalization";
    private const float DefaultEpsilon = 1e-12f; // of com.microsoft's schema

    /// <summary>Fuses where only the MLP reads the norm; what does not fit is left as it is. In every graph, nested ones too.</summary>
    /// <param name="model">A rewritten model, or a clone of one; its graph is changed. It is for a session, not for a file.</param>
    /// <returns>How many MLPs took in their norm.</returns>
    /// <exception cref="InvalidDataException">Graphs are nested too deep, or two nodes make one value.</exception>
    public static int Apply(OnnxModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Apply(model.Proto);
    }

    /// <summary>The same for a model's message, whose weights are not looked at.</summary>
    /// <param name="model">A rewritten model; its graph is changed.</param>
    /// <returns>How many MLPs took in their norm.</returns>
    /// <exception cref="InvalidDataException">Graphs are nested too deep, or two nodes make one value.</exception>
    public static int Apply(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        GraphIndex index = new(model);
        NameSource names = new(index);
        GraphEditor editor = new(index);
        int count = 0;
        foreach (GraphScope scope in index.Scopes)
        {
            Dictionary<float, string> epsilons = [];
            foreach (NodeProto mlp in scope.Graph.Node)
            {
                if (NormBefore(mlp, scope) is not { } norm)
                {
                    continue;
                }

                float epsilon = norm.Float("epsilon", DefaultEpsilon);
                if (!epsilons.TryGetValue(epsilon, out string? name))
                {
                    epsilons.Add(epsilon, name = names.Fresh("cats.norm_epsilon"));
                    scope.Graph.Initializer.Add(NodeBuilder.Floats(name, [epsilon], scalar: true));
                }

                // In the norm's place, not the MLP's: readers of the sum may stand between the two.
                editor.Replace([norm, mlp], [Fused(norm, mlp, name)], norm);
                DropInfo(scope.Graph, norm.Output[0]);
                count++;
            }
        }

        editor.Apply();
        return count;
    }

    private static NodeProto? NormBefore(NodeProto mlp, GraphScope scope)
    {
        if (mlp.Domain != OpSchemas.Domain || mlp.OpType != OpSchemas.SparseGatedMlp.Name
            || mlp.Input.Count < OpSchemas.SparseGatedMlp.RequiredInputs || mlp.Output.Count is not (1 or 2) || mlp.Output[0].Length == 0
            || scope.Find(mlp.Input[0]) is not { Producer: { } norm, ProducerOutput: 0, IsOutput: false, Uses.Count: 1 } normed
            || !ReferenceEquals(normed.Scope, scope) || !norm.IsMicrosoft(Norm))
        {
            return null;
        }

        // input, skip, gamma, bias; output, mean, inv_std_var, input_skip_bias_sum
        bool plain = norm.Input.Count >= 3 && norm.Input.Take(3).All(name => name.Length > 0)
            && norm.Input.Skip(3).All(name => name.Length == 0)
            && norm.Output.Where((_, i) => i is not (0 or 3)).All(name => name.Length == 0);
        return plain && IsReady(norm.Input[2], scope) && mlp.Input.Skip(1).All(name => name.Length == 0 || IsReady(name, scope))
            ? norm
            : null;
    }

    // Whether a value is there where the norm stands: an initializer, a graph input, or a value of a graph around.
    private static bool IsReady(string name, GraphScope scope) =>
        scope.Find(name) is { } value && (value.Producer is null || !ReferenceEquals(value.Scope, scope));

    private static NodeProto Fused(NodeProto norm, NodeProto mlp, string epsilon)
    {
        List<string> outputs = [mlp.Output[0], mlp.Output.ElementAtOrDefault(1) ?? "", norm.Output.ElementAtOrDefault(3) ?? ""];
        while (outputs.Count > 1 && outputs[^1].Length == 0)
        {
            outputs.RemoveAt(outputs.Count - 1);
        }

        NodeProto node = NodeBuilder.Node(
            OpSchemas.SkipRMSNormSparseGatedMlp.Name,
            [norm.Input[0], norm.Input[1], norm.Input[2], epsilon, .. mlp.Input.Skip(1)],
            outputs,
            [.. mlp.Attribute]);
        node.Domain = OpSchemas.Domain;
        node.Name = mlp.Name;
        return node;
    }

    private static void DropInfo(GraphProto graph, string value)
    {
        if (graph.ValueInfo.FirstOrDefault(info => info.Name == value) is { } info)
        {
            graph.ValueInfo.Remove(info);
        }
    }
}
