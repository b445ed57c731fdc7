// SPDX-License-Identifier: MIT
// When a graph gets the sliding window of its configuration.
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Session;

namespace CatsOnnx.Tests.Unit.Text;

public sealed class SlidingWindowTests
{
    [Theory]
    [InlineData(-1L)]
    [InlineData(null)]
    public void Attention_without_a_window_gets_the_configured_one(long? written)
    {
        GraphProto graph = Graph(written, written);
        Assert.Equal(2, SlidingWindow.Apply(graph, new ModelConfig { SlidingWindow = 256 }));
        Assert.All(graph.Node.Where(node => node.OpType == "GroupQueryAttention"), node => Assert.Equal(256, Assert.Single(node.Attribute).I));
        Assert.Empty(graph.Node.Single(node => node.OpType == "MatMul").Attribute);
    }

    [Fact]
    public void A_graph_that_has_windows_is_left_alone()
    {
        GraphProto graph = Graph(-1, 128);
        GraphProto before = graph.Clone();
        Assert.Equal(0, SlidingWindow.Apply(graph, new ModelConfig { SlidingWindow = 256 }));
        Assert.Equal(before, graph);
    }

    [Fact]
    public void A_configuration_without_a_window_changes_nothing()
    {
        GraphProto graph = Graph(-1, -1);
        GraphProto before = graph.Clone();
        Assert.Equal(0, SlidingWindow.Apply(graph, new ModelConfig()));
        Assert.Equal(before, graph);
    }

    private static GraphProto Graph(params long?[] windows)
    {
        GraphProto graph = new() { Node = { new NodeProto { OpType = "MatMul" } } };
        foreach (long? window in windows)
        {
            NodeProto node = new() { OpType = "GroupQueryAttention", Domain = "com.microsoft" };
            if (window is long value)
            {
                node.Attribute.Add(new AttributeProto { Name = "local_window_size", Type = AttributeProto.Types.AttributeType.Int, I = value });
            }

            graph.Node.Add(node);
        }

        return graph;
    }
}
