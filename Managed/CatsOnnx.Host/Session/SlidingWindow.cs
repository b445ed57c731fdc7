// SPDX-License-Identifier: MIT
// Puts the sliding window of a model's configuration into its attention nodes where the exporter left it out.
// GenAI's builder 0.18 writes local_window_size -1 for Mistral and the window into genai_config.json alone; without it
// mistral-29m (window 256) has perplexity 27.54 in place of 20.50 on windows of 512 tokens.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.Session;

/// <summary>Makes a graph in memory attend as far back as its configuration says.</summary>
public static class SlidingWindow
{
    private const string Attribute = "local_window_size";

    /// <summary>
    /// Sets local_window_size of every GroupQueryAttention node to the configured window, where no node of the graph has
    /// one. A graph in which some nodes have one alternates on purpose and is left as it is.
    /// </summary>
    /// <param name="graph">The graph; changed in place.</param>
    /// <param name="config">The model's configuration.</param>
    /// <returns>How many nodes were changed.</returns>
    public static int Apply(GraphProto graph, ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(config);
        NodeProto[] nodes = [.. graph.Node.Where(node => node is { OpType: "GroupQueryAttention", Domain: "com.microsoft" })];
        if (config.SlidingWindow is not int window || nodes.Any(node => Find(node) is { I: > 0 }))
        {
            return 0;
        }

        foreach (NodeProto node in nodes)
        {
            if (Find(node) is AttributeProto attribute)
            {
                attribute.I = window;
            }
            else
            {
                node.Attribute.Add(new AttributeProto { Name = Attribute, Type = AttributeProto.Types.AttributeType.Int, I = window });
            }
        }

        return nodes.Length;
    }

    private static AttributeProto? Find(NodeProto node) => node.Attribute.FirstOrDefault(attribute => attribute.Name == Attribute);
}
