// SPDX-License-Identifier: MIT
// Rewriting again, with the same or other thresholds, in another form; what is shared, lost and kept.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Passes;

public sealed class RewriteTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rewriting_twice_changes_nothing_and_says_so(bool unfused)
    {
        OnnxModel model = Plain();
        RewriteOptions options = new() { Thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 0.5f), Unfused = unfused };
        Assert.True(ModelRewriter.Rewrite(model, options).Changed);
        byte[] once = model.ToBytes();

        RewriteReport again = ModelRewriter.Rewrite(model, options);

        Assert.False(again.Changed);
        Assert.Contains("nothing was changed", Assert.Single(again.Notes), StringComparison.Ordinal);
        Assert.Equal(once, model.ToBytes());
        Assert.Equal((0, 1, 0), (again.Fusable, again.Fused, again.Refused));
    }

    [Fact]
    public void Other_thresholds_change_only_thresholds_and_provenance()
    {
        OnnxModel model = Plain();
        ThresholdTable table = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 0.5f);
        ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = table });
        ModelProto before = model.Proto.Clone();
        float[] perNeuron = [.. Enumerable.Range(0, MlpGraph.Intermediate).Select(i => i * 0.1f)];

        RewriteReport report = ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = table with { Method = "neuron", Layers = [table.Layers[0] with { Thresholds = perNeuron }] } });

        Assert.True(report.Changed);
        Assert.Equal(before.Graph.Node, model.Proto.Graph.Node);
        Assert.Equal([MlpGraph.Intermediate], model.Proto.Graph.Initializer.Single(tensor => tensor.Name == "cats.threshold.0").Dims);
        Assert.Equal(
            before.Graph.Initializer.Where(tensor => tensor.Name != "cats.threshold.0"),
            model.Proto.Graph.Initializer.Where(tensor => tensor.Name != "cats.threshold.0"));
        ModelRewriter.Revert(model);
        Assert.Equal(Plain().ToBytes(), model.ToBytes());
    }

    [Fact]
    public void The_other_form_replaces_the_first()
    {
        OnnxModel model = Plain();
        ThresholdTable table = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 0.5f);
        ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = table });
        ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = table, Unfused = true });

        Assert.Equal(["CatsThreshold"], model.Proto.Graph.Node.Where(node => node.Domain == "ai.cats").Select(node => node.OpType));
        Assert.Equal(["CatsThreshold"], model.Proto.Functions.Select(function => function.Name));
    }

    [Fact]
    public void Weights_shared_between_layers_stay_shared()
    {
        MlpGraph graph = new();
        (string gate, string up, string down) = (graph.Weight(4, 6), graph.Weight(4, 6), graph.Weight(6, 4));
        string Layer(string x) => graph.Node("MatMul", [graph.Node("Mul", [graph.Silu(graph.Node("MatMul", [x, gate])), graph.Node("MatMul", [x, up])]), down]);
        OnnxModel model = graph.Build(Layer(Layer("x")));

        RewriteReport report = ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 0) });

        Assert.Equal(2, report.Fused);
        Assert.Equal(2, report.Layers.Count);
        Assert.Equal(3 + 2 + 1, model.Proto.Graph.Initializer.Count);
    }

    [Fact]
    public void A_second_type_gets_an_overload_and_a_later_format_version()
    {
        MlpGraph graph = new();
        string first = graph.Down(graph.Node("Mul", [graph.Silu(graph.Project()), graph.Project()]));
        string half = graph.Node("Cast", [first], NodeBuilder.Int("to", 10));
        string Half(params long[] dims)
        {
            TensorProto tensor = new() { DataType = 10, RawData = Google.Protobuf.ByteString.CopyFrom(new byte[dims[0] * dims[1] * 2]) };
            tensor.Dims.AddRange(dims);
            return graph.Add(tensor);
        }

        string gate = graph.Node("MatMul", [half, Half(4, 6)]);
        string second = graph.Node("MatMul", [graph.Node("Mul", [graph.Silu(gate), graph.Node("MatMul", [half, Half(4, 6)])]), Half(6, 4)]);
        OnnxModel model = graph.Build(graph.Node("Cast", [second], NodeBuilder.Int("to", 1)));
        ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 0) });

        Assert.Equal(["", "float16"], model.Proto.Functions.Select(function => function.Overload));
        Assert.Equal(["", "float16"], model.Proto.Graph.Node.Where(node => node.Domain == "ai.cats").Select(node => node.Overload));
        Assert.Equal(10, model.Proto.IrVersion);
        ModelRewriter.Revert(model);
        Assert.Equal(8, model.Proto.IrVersion);
    }

    [Fact]
    public void A_value_named_like_ours_is_an_error()
    {
        MlpGraph graph = new();
        graph.Proto.Graph.Input.Add(NodeBuilder.Info("cats.threshold_scale", TensorProto.Types.DataType.Float, []));
        OnnxModel model = graph.Build(graph.Down(graph.Node("Mul", [graph.Silu(graph.Project()), graph.Project()])));
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 0) }));
        Assert.Contains("cats.threshold_scale", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Calibration_of_a_rewritten_model_asks_for_its_source()
    {
        OnnxModel model = Plain();
        ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 0) });
        Assert.Contains("Revert", Assert.Throws<InvalidDataException>(() => InsertGateObservers.Apply(model, null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_record_is_an_error()
    {
        OnnxModel model = Plain();
        Assert.Throws<InvalidDataException>(() => ModelRewriter.Revert(model));
        ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 0) });
        model.Proto.MetadataProps.Single(entry => entry.Key == "cats.original").Value = "AAAA";
        Assert.Throws<InvalidDataException>(() => ModelRewriter.Revert(model));
    }

    private static OnnxModel Plain()
    {
        MlpGraph graph = new();
        return graph.Build(graph.Down(graph.Node("Mul", [graph.Silu(graph.Project()), graph.Project()])));
    }
}
