// SPDX-License-Identifier: MIT
// The size of a head in graphs that leave it free (GenAI's "kv_cache_dim") and have no configuration beside them.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.Session;

/// <summary>Reads the head size from the projection that feeds an attention node:
/// value = MatMul(x, W [hidden, heads * head size]) [+ bias] -> GroupQueryAttention(query, key, value, past...).
/// Emitted by: ONNX Runtime GenAI model builder 0.4 to 0.18.</summary>
internal static class HeadSize
{
    private const int LongestChain = 8;

    /// <summary>The head size, or null where the graph does not show it.</summary>
    public static int? Find(string modelPath)
    {
        OnnxModel model;
        try
        {
            model = OnnxModel.Load(modelPath);
        }
        catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return null; // ONNX Runtime has loaded it; the caller says that the size is unknown
        }

        GraphProto graph = model.Proto.Graph;
        NodeProto? attention = graph.Node.FirstOrDefault(node => node.OpType is "GroupQueryAttention");
        if (attention is null || Attribute(attention, "kv_num_heads") is not long keyValueHeads || keyValueHeads <= 0 || attention.Input.Count < 3)
        {
            return null;
        }

        Dictionary<string, NodeProto> producers = [];
        foreach (NodeProto node in graph.Node)
        {
            foreach (string output in node.Output)
            {
                producers.TryAdd(output, node);
            }
        }

        Dictionary<string, TensorProto> weights = graph.Initializer.ToDictionary(weight => weight.Name);
        bool packed = attention.Input[2].Length == 0; // query, key and value in one
        long heads = packed ? (Attribute(attention, "num_heads") ?? 0) + (2 * keyValueHeads) : keyValueHeads;
        return Width(attention.Input[packed ? 0 : 2], 0) is long width && width % heads == 0 ? checked((int)(width / heads)) : null;

        long? Width(string value, int depth)
        {
            if (depth > LongestChain || !producers.TryGetValue(value, out NodeProto? node))
            {
                return null;
            }

            switch (node.OpType)
            {
                case "MatMul" or "FusedMatMul" or "Gemm" when node.Input.Count > 1 && weights.TryGetValue(node.Input[1], out TensorProto? weight) && weight.Dims.Count == 2:
                    return weight.Dims[(Attribute(node, "transB") ?? 0) == 0 ? 1 : 0];
                case "MatMulNBits":
                    return Attribute(node, "N");
                case "Add" or "Reshape" or "Cast" or "SimplifiedLayerNormalization" or "Identity":
                    foreach (string input in node.Input)
                    {
                        if (Width(input, depth + 1) is long found)
                        {
                            return found;
                        }
                    }

                    return null;
                default:
                    return null;
            }
        }
    }

    private static long? Attribute(NodeProto node, string name) => node.Attribute.FirstOrDefault(attribute => attribute.Name == name)?.I;
}
