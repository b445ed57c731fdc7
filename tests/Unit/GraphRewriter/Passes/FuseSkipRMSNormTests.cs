// SPDX-License-Identifier: MIT
// Norms join the sparse MLPs behind them: every layer of a made decoder, order and readers kept, and each thing that forbids it.
using System.Buffers.Binary;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Synthesis;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Tests.Support;
using static CatsOnnx.GraphRewriter.Proto.TensorProto.Types;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Passes;

public sealed class FuseSkipRMSNormTests : IDisposable
{
    private const int Layers = 3;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_layer_of_a_made_decoder_is_fused_in_an_order_that_runs()
    {
        OnnxModel model = Decoder();
        string[] sums = [.. Enumerable.Range(0, Layers).Select(layer => $"/model/layers.{layer}/post_attention_layernorm/output_3")];
        int before = model.Proto.Graph.Node.Count;

        Assert.Equal(Layers, FuseSkipRMSNorm.Apply(model));

        GraphProto graph = model.Proto.Graph;
        NodeProto[] fused = [.. graph.Node.Where(IsFused)];
        Assert.Equal(before - Layers, graph.Node.Count);
        Assert.Equal(Layers, fused.Length);
        Assert.DoesNotContain(graph.Node, node => node.OpType == "SparseGatedMlp");
        Assert.Equal(sums, fused.Select(node => node.Output[2]));
        Assert.All(fused, node => Assert.Equal(OpSchemas.SkipRMSNormSparseGatedMlp.Inputs.Count, node.Input.Count));
        Assert.All(sums, sum => Assert.Single(graph.Node, node => node.Input.Contains(sum)));
        AssertOrdered(graph);
        TensorProto epsilon = graph.Initializer.Single(tensor => tensor.Name == "cats.norm_epsilon");
        Assert.All(fused, node => Assert.Equal(epsilon.Name, node.Input[3]));
        Assert.Empty(epsilon.Dims);
        Assert.Equal(1e-5f, BinaryPrimitives.ReadSingleLittleEndian(epsilon.RawData.Span));
        Assert.Equal(0, FuseSkipRMSNorm.Apply(model)); // once more changes nothing
    }

    [Fact]
    public void Counts_of_active_neurons_stay_outputs()
    {
        OnnxModel model = Decoder();
        string[] counts = [.. ExposeActiveCounts.Apply(model).Select(count => count.Output)];

        Assert.Equal(Layers, FuseSkipRMSNorm.Apply(model));

        Assert.Equal(counts, model.Proto.Graph.Node.Where(IsFused).Select(node => node.Output[1]));
        Assert.All(counts, count => Assert.Contains(model.Proto.Graph.Output, output => output.Name == count));
    }

    [Fact]
    public void A_dense_model_stays_as_it_is()
    {
        DecoderModel.Write(Shape, DecoderDtype.Fp32, 3, _folder["dense"]);
        OnnxModel model = OnnxModel.Load(_folder["dense", "model.onnx"]);
        AssertLeft(model.Proto);
    }

    [Fact]
    public void The_node_has_what_the_two_had()
    {
        ModelProto model = Layer();

        Assert.Equal(1, FuseSkipRMSNorm.Apply(model));

        NodeProto node = model.Graph.Node[0];
        Assert.Equal(("ai.cats", "SkipRMSNormSparseGatedMlp", "mlp"), (node.Domain, node.OpType, node.Name));
        Assert.Equal(["x", "skip", "gamma", "cats.norm_epsilon", "gate", "up", "down", "threshold", "", "", "", "scale"], node.Input);
        Assert.Equal(["y", "", "sum"], node.Output);
        Assert.Equal("relu", Assert.Single(node.Attribute).S.ToStringUtf8());
        Assert.Empty(model.Graph.ValueInfo); // it described the value that is gone
    }

    [Fact]
    public void Outputs_that_nothing_uses_are_left_out()
    {
        ModelProto model = Layer();
        Norm(model).Output.RemoveAt(3);
        model.Graph.Node.RemoveAt(1); // the reader of the sum

        Assert.Equal(1, FuseSkipRMSNorm.Apply(model));

        Assert.Equal(["y"], Assert.Single(model.Graph.Node).Output);
    }

    [Fact]
    public void Each_epsilon_is_one_initializer_with_a_name_of_its_own()
    {
        ModelProto model = Layer();
        GraphProto graph = model.Graph;
        graph.Initializer.Add(NodeBuilder.Floats("cats.norm_epsilon", [7], scalar: true)); // taken
        for (int i = 0; i < 2; i++)
        {
            NodeProto norm = Norm(Layer());
            norm.Output[0] = $"n{i}";
            norm.Output[3] = "";
            norm.Attribute.Clear(); // the default, 1e-12
            NodeProto mlp = Mlp(Layer());
            (mlp.Input[0], mlp.Output[0], mlp.Name) = ($"n{i}", $"y{i}", $"mlp{i}");
            graph.Node.Add(norm);
            graph.Node.Add(mlp);
        }

        Assert.Equal(3, FuseSkipRMSNorm.Apply(model));

        string[] names = [.. graph.Node.Where(IsFused).Select(node => node.Input[3])];
        Assert.Equal(["cats.norm_epsilon.1", "cats.norm_epsilon.2", "cats.norm_epsilon.2"], names);
        Assert.Equal([1e-6f, 1e-12f], names.Distinct().Select(name =>
            BinaryPrimitives.ReadSingleLittleEndian(graph.Initializer.Single(tensor => tensor.Name == name).RawData.Span)));
    }

    [Fact]
    public void A_branch_of_an_If_reads_what_the_graph_around_it_made()
    {
        ModelProto model = Layer();
        GraphProto outer = model.Graph;
        GraphProto branch = new() { Name = "branch" };
        branch.Node.AddRange(outer.Node);
        branch.ValueInfo.AddRange(outer.ValueInfo);
        branch.Output.Add(NodeBuilder.Info("y", DataType.Float, null));
        outer.Node.Clear();
        outer.ValueInfo.Clear();
        outer.Output.Clear();
        outer.Input.Add(NodeBuilder.Info("given", DataType.Float, []));
        outer.Input.Remove(outer.Input.Single(input => input.Name == "scale"));
        outer.Node.Add(NodeBuilder.Node("Identity", ["given"], ["scale"]));
        AttributeProto then = new() { Name = "then_branch", Type = AttributeProto.Types.AttributeType.Graph, G = branch };
        outer.Node.Add(NodeBuilder.Node("If", ["condition"], ["result"], then));

        Assert.Equal(1, FuseSkipRMSNorm.Apply(model));

        Assert.True(IsFused(branch.Node[0]));
        Assert.Equal("cats.norm_epsilon", Assert.Single(branch.Initializer).Name);
        Assert.Empty(branch.ValueInfo);
    }

    [Theory]
    [InlineData("second reader")]
    [InlineData("graph output")]
    [InlineData("bias")]
    [InlineData("mean")]
    [InlineData("inv_std_var")]
    [InlineData("produced scale")]
    [InlineData("produced norm weight")]
    [InlineData("unknown weight")]
    [InlineData("other norm")]
    [InlineData("other domain")]
    [InlineData("other input")]
    public void What_does_not_fit_is_left_as_it_is(string why)
    {
        ModelProto model = Layer();
        (GraphProto graph, NodeProto norm, NodeProto mlp) = (model.Graph, Norm(model), Mlp(model));
        switch (why)
        {
            case "second reader":
                graph.Node.Add(NodeBuilder.Node("Identity", ["normed"], ["copy"]));
                break;
            case "graph output":
                graph.Output.Add(NodeBuilder.Info("normed", DataType.Float, null));
                break;
            case "bias":
                norm.Input.Add("gamma");
                break;
            case "mean":
                norm.Output[1] = "mean";
                break;
            case "inv_std_var":
                norm.Output[2] = "inv_std_var";
                break;
            case "produced scale":
                graph.Node.Insert(1, NodeBuilder.Node("Identity", ["scale"], ["scaled"]));
                mlp.Input[8] = "scaled";
                break;
            case "produced norm weight":
                graph.Node.Insert(0, NodeBuilder.Node("Identity", ["gamma"], ["weight"]));
                norm.Input[2] = "weight";
                break;
            case "unknown weight":
                mlp.Input[1] = "nowhere";
                break;
            case "other norm":
                norm.OpType = "SkipLayerNormalization";
                break;
            case "other domain":
                norm.Domain = "";
                break;
            default:
                (norm.Output[0], norm.Output[3]) = (norm.Output[3], norm.Output[0]);
                break;
        }

        AssertLeft(model);
    }

    private static DecoderShape Shape => new("small", 64, 176, Layers, 4, 2, 128, 64);

    private static NodeProto Norm(ModelProto model) => model.Graph.Node.Single(node => node.Name == "norm");

    private static NodeProto Mlp(ModelProto model) => model.Graph.Node.Single(node => node.Name == "mlp");

    private static bool IsFused(NodeProto node) => node is { Domain: "ai.cats", OpType: "SkipRMSNormSparseGatedMlp" };

    private static void AssertLeft(ModelProto model)
    {
        ModelProto before = model.Clone();
        Assert.Equal(0, FuseSkipRMSNorm.Apply(model));
        Assert.Equal(before, model);
    }

    private static void AssertOrdered(GraphProto graph)
    {
        HashSet<string> known = [.. graph.Input.Select(input => input.Name), .. graph.Initializer.Select(tensor => tensor.Name), ""];
        foreach (NodeProto node in graph.Node)
        {
            Assert.All(node.Input, input => Assert.True(known.Contains(input), $"{node.Name} reads {input} before it is made"));
            known.UnionWith(node.Output);
        }

        Assert.All(graph.Output, output => Assert.Contains(output.Name, known));
    }

    // One norm, its MLP and a reader of the sum between the two.
    private static ModelProto Layer()
    {
        GraphProto graph = new() { Name = "layer" };
        foreach (string input in (string[])["x", "skip", "scale", "condition"])
        {
            graph.Input.Add(NodeBuilder.Info(input, DataType.Float, null));
        }

        foreach (string weight in (string[])["gamma", "gate", "up", "down", "threshold"])
        {
            graph.Initializer.Add(NodeBuilder.Floats(weight, [1], scalar: false));
        }

        NodeProto norm = NodeBuilder.Node(
            "SkipSimplifiedLayerNormalization", ["x", "skip", "gamma"], ["normed", "", "", "sum"], MlpGraph.Float("epsilon", 1e-6f));
        (norm.Domain, norm.Name) = ("com.microsoft", "norm");
        NodeProto mlp = NodeBuilder.Node(
            "SparseGatedMlp",
            ["normed", "gate", "up", "down", "threshold", "", "", "", "scale"],
            ["y", ""],
            NodeBuilder.Text("activation", "relu"));
        (mlp.Domain, mlp.Name) = ("ai.cats", "mlp");
        graph.Node.Add([norm, NodeBuilder.Node("Identity", ["sum"], ["residual"]), mlp]);
        graph.Node[1].Name = "reader";
        graph.ValueInfo.Add(NodeBuilder.Info("normed", DataType.Float, [1, 4]));
        graph.Output.Add(NodeBuilder.Info("y", DataType.Float, null));
        return new ModelProto { IrVersion = 8, Graph = graph };
    }

    private OnnxModel Decoder()
    {
        DecoderModel.Write(Shape, DecoderDtype.Fp32, 3, _folder["source"]);
        OnnxModel model = OnnxModel.Load(_folder["source", "model.onnx"]);
        ThresholdTable thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 0.5f);
        Assert.Equal(Layers, ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = thresholds }).Fused);
        return model;
    }
}
