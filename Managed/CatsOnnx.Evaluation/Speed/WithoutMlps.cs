// SPDX-License-Identifier: MIT
// A rewritten model whose MLPs give back their input: what is left of a token's time is not theirs.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.Evaluation.Speed;

/// <summary>Takes the MLPs out of a rewritten model.</summary>
public static class WithoutMlps
{
    /// <summary>Puts Identity in the place of each SparseGatedMlp of the main graph, and drops the weights.</summary>
    /// <param name="model">A rewritten model in memory; its graph is changed.</param>
    /// <returns>How many were taken out.</returns>
    public static int Apply(OnnxModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        GraphProto graph = model.Proto.Graph;
        int count = 0;
        HashSet<string> dropped = new(StringComparer.Ordinal);
        foreach (NodeProto node in graph.Node.Where(node => node.Domain == OpSchemas.Domain && node.OpType == OpSchemas.SparseGatedMlp.Name))
        {
            dropped.UnionWith(node.Input.Skip(1));
            (string x, string y) = (node.Input[0], node.Output[0]);
            node.OpType = "Identity";
            node.Domain = string.Empty;
            node.Input.Clear();
            node.Input.Add(x);
            node.Output.Clear();
            node.Output.Add(y);
            node.Attribute.Clear();
            count++;
        }

        dropped.ExceptWith(graph.Node.SelectMany(node => node.Input));
        dropped.Remove(OpSchemas.ThresholdScale); // an input too
        foreach (TensorProto tensor in graph.Initializer.Where(tensor => dropped.Contains(tensor.Name)).ToArray())
        {
            graph.Initializer.Remove(tensor);
        }

        return count;
    }
}
