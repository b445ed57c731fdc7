// SPDX-License-Identifier: MIT
// What is no gated SiLU MLP with float weights is left alone, and the reason says why.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Patterns;

public sealed class RefusalTests
{
    private const int H = MlpGraph.Hidden;
    private const int I = MlpGraph.Intermediate;

    private static readonly Dictionary<string, (string Reason, Func<MlpGraph, string> Build)> Cases = new()
    {
        ["QuickGelu by default"] = ("QuickGelu has alpha 1.702", g => g.Down(g.Node("Mul", [g.Node("ms.QuickGelu", [g.Project()]), g.Project()]))),
        ["Swish with alpha 2"] = ("Swish has alpha 2", g => g.Down(g.Node("Mul", [g.Node("Swish", [g.Project()], MlpGraph.Float("alpha", 2)), g.Project()]))),
        ["SwiGLU with a limit"] = ("limit 7", g => g.Down(g.Node("ms.SwiGLU", [g.Project(), g.Project()], MlpGraph.Float("limit", 7)))),
        ["SwiGLU with alpha 1.702"] = ("alpha 1.702", g => g.Down(g.Node("SwiGLU", [g.Project(), g.Project()], MlpGraph.Float("alpha", 1.702f)))),
        ["GeGLU"] = ("activation is Gelu", g => g.Down(g.Node("Mul", [g.Node("Gelu", [g.Project()]), g.Project()]))),
        ["GLU"] = ("part of no product silu(gate) * up", g => g.Down(g.Node("Mul", [g.Node("Sigmoid", [g.Project()]), g.Project()]))),
        ["two layers and Relu"] = ("activation is Relu", g => g.Down(g.Node("Relu", [g.Project()]))),
        ["two layers and SiLU"] = ("part of no product silu(gate) * up", g => g.Down(g.Silu(g.Project()))),
        ["weights from an input"] = ("not constant", g =>
        {
            g.Proto.Graph.Input.Add(NodeBuilder.Info("w", TensorProto.Types.DataType.Float, [H, I]));
            return g.Down(g.Node("Mul", [g.Silu(g.Project()), g.Node("Gemm", ["x", "w"])]));
        }),
        ["weights of several matrices"] = ("two dimensions", g => g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Weight(2, H, I)])), g.Project()]))),
        ["weights of more dimensions than the input"] = ("is not known to have as many", g => g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Weight(1, 1, H, I)])), g.Project()]))),
        ["float16 weights cast at run time"] = ("stored as float16 and cast to float at run time", g => g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Node("Cast", [g.Add(Stored(TensorProto.Types.DataType.Float16, 2))], NodeBuilder.Int("to", 1))])), g.Project()]))),
        ["weights reshaped to other rows"] = ("is no view of a matrix", g => g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Node("Reshape", [g.Weight(I, H), g.Integers(H, I)])])), g.Project()]))),
        ["weights of ConstantOfShape"] = ("computed by ConstantOfShape", g => g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Node("ConstantOfShape", [g.Integers(H, I)])])), g.Project()]))),
        ["weights computed"] = ("computed by Mul", g => g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Node("Mul", [g.Weight(H, I), g.Floats([], 2f)])])), g.Project()]))),
        ["float8 weights"] = ("DequantizeLinear", g => g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Node("DequantizeLinear", [g.Add(Stored(TensorProto.Types.DataType.Float8E4M3Fn, 1)), g.Floats([], 1f)])])), g.Project()]))),
        ["weights stored as double"] = ("are double", g => g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Add(Stored(TensorProto.Types.DataType.Double, 8))])), g.Project()]))),
        ["Bnb4 weights"] = ("MatMulBnb4", g => g.Down(g.Node("Mul", [g.Silu(g.Node("ms.MatMulBnb4", ["x", g.Weight(I, 1), g.Weight(I)])), g.Project()]))),
        ["FpQ4 weights"] = ("MatMulFpQ4", g => g.Down(g.Node("Mul", [g.Silu(g.Node("ms.MatMulFpQ4", ["x", g.Weight(I, 1), g.Integers(H, I)])), g.Project()]))),
        ["FusedGemm with Relu"] = ("com.microsoft.FusedGemm", g => g.Down(g.Node("ms.FusedGemm", ["x", g.Weight(H, I)], new AttributeProto { Name = "activation", Type = AttributeProto.Types.AttributeType.String, S = Google.Protobuf.ByteString.CopyFromUtf8("Relu") }))),
        ["GemmFastGelu"] = ("com.microsoft.GemmFastGelu", g => g.Down(g.Node("ms.GemmFastGelu", ["x", g.Weight(H, I)]))),
        ["gate by GemmFastGelu"] = ("com.microsoft.GemmFastGelu", g => g.Down(g.Node("Mul", [g.Node("ms.GemmFastGelu", ["x", g.Weight(H, I)]), g.Project()]))),
        ["GeGLU by FastGelu"] = ("com.microsoft.FastGelu", g => g.Down(g.Node("Mul", [g.Node("ms.FastGelu", [g.Project(), g.Weight(I)]), g.Project()]))),
        ["GeGLU by BiasGelu"] = ("com.microsoft.BiasGelu", g => g.Down(g.Node("Mul", [g.Node("ms.BiasGelu", [g.Project(), g.Weight(I)]), g.Project()]))),
        ["GeGLU by Erf"] = ("built on Erf", g =>
        {
            string v = g.Project();
            string erf = g.Node("Add", [g.Node("Erf", [g.Node("Div", [v, g.Floats([], 1.4142135f)])]), g.Floats([], 1f)]);
            return g.Down(g.Node("Mul", [g.Node("Mul", [g.Node("Mul", [v, erf]), g.Floats([], 0.5f)]), g.Project()]));
        }),
        ["gate by Relu"] = ("activation is Relu", g => g.Down(g.Node("Mul", [g.Node("Relu", [g.Project()]), g.Project()]))),
        ["gate by Sigmoid of 1.702 x"] = ("part of no product", g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Mul", [v, g.Node("Sigmoid", [g.Node("Mul", [v, g.Floats([], 1.702f)])])]), g.Project()])); }),
        ["MoE"] = ("mixture of experts (com.microsoft.MoE)", g => g.Node("ms.MoE", ["x", g.Weight(6, 2), g.Weight(2, H, I), "", g.Weight(2, I, H)])),
        ["QMoE"] = ("mixture of experts (com.microsoft.QMoE)", g => g.Node("ms.QMoE", ["x", g.Weight(6, 2), g.Weight(2, H, I), g.Weight(2, I)])),
        ["4-bit weights"] = ("4-bit weights", g => g.Down(g.Node("Mul", [g.Silu(g.Node("ms.MatMulNBits", ["x", g.Weight(I, 1)], NodeBuilder.Int("bits", 4))), g.Project()]))),
        ["adapter"] = ("adapter (LoRA) is not merged", g =>
        {
            string low = g.Node("MatMul", [g.Node("MatMul", ["x", g.Weight(H, 2)]), g.Weight(2, I)]);
            return g.Down(g.Node("Mul", [g.Silu(g.Node("Add", [g.Project(), g.Node("Mul", [low, g.Floats([], 2f)])])), g.Project()]));
        }),
        ["two inputs"] = ("a gated MLP has one input", g =>
        {
            string other = g.Node("MatMul", [g.Node("Neg", ["x"]), g.Weight(H, I)]);
            return g.Down(g.Node("Mul", [g.Silu(g.Project()), other]));
        }),
        ["Gemm with alpha 2"] = ("alpha 2", g => g.Down(g.Node("Mul", [g.Silu(g.Node("Gemm", ["x", g.Weight(H, I)], MlpGraph.Float("alpha", 2))), g.Project()]))),
        ["read outside"] = ("is also read by", g =>
        {
            string gate = g.Project();
            string down = g.Down(g.Node("Mul", [g.Silu(gate), g.Project()]));
            g.Proto.Graph.Output.Add(NodeBuilder.Info(g.Node("Abs", [gate]), TensorProto.Types.DataType.Float, null));
            return down;
        }),
        ["inner value is an output"] = ("is an output of the graph", g =>
        {
            string gate = g.Project();
            g.Proto.Graph.Output.Add(NodeBuilder.Info(gate, TensorProto.Types.DataType.Float, null));
            return g.Down(g.Node("Mul", [g.Silu(gate), g.Project()]));
        }),
        ["dropout in training"] = ("Dropout is no projection", g =>
        {
            TensorProto training = new() { DataType = (int)TensorProto.Types.DataType.Bool, RawData = Google.Protobuf.ByteString.CopyFrom(1) };
            return g.Down(g.Node("Mul", [g.Silu(g.Node("Dropout", [g.Project(), g.Floats([], 0.1f), g.Add(training)])), g.Project()]));
        }),
        ["Einsum that turns its result"] = ("Einsum computes 'bsh,hi->bis'", g => g.Down(g.Node("Mul", [g.Silu(g.Node("Einsum", ["x", g.Weight(H, I)], MlpGraph.Text("equation", "bsh,hi->bis"))), g.Project()]))),
        ["Einsum over several matrices"] = ("a projection multiplies the last axis", g => g.Down(g.Node("Mul", [g.Silu(g.Node("Einsum", ["x", g.Weight(3, H, I)], MlpGraph.Text("equation", "bsh,shi->bsi"))), g.Project()]))),
        ["x cast for one projection alone"] = ("a gated MLP has one input", g =>
        {
            string rounded = g.Node("Cast", [g.Node("Cast", ["x"], NodeBuilder.Int("to", 10))], NodeBuilder.Int("to", 1));
            return g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", [rounded, g.Weight(H, I)])), g.Project()]));
        }),
        ["cast to float16 inside"] = ("a Cast to float16 stands inside an MLP of float", g =>
        {
            string rounded = g.Node("Cast", [g.Node("Cast", [g.Project()], NodeBuilder.Int("to", 10))], NodeBuilder.Int("to", 1));
            return g.Down(g.Node("Mul", [g.Silu(rounded), g.Project()]));
        }),
        ["view cut between rows"] = ("Gather", g =>
        {
            string cut = g.Node("Reshape", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(3, 2, 2, I)]);
            return g.Down(g.Node("Mul", [g.Silu(g.Node("Gather", [cut, g.Scalar(0)], NodeBuilder.Int("axis", 1))), g.Node("Gather", [cut, g.Scalar(1)], NodeBuilder.Int("axis", 1))]));
        }),
        ["one part of a view twice"] = ("must be its halves", g =>
        {
            string cut = g.Node("Reshape", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(2, 3, 2, I)]);
            string part = g.Node("Gather", [cut, g.Scalar(1)], NodeBuilder.Int("axis", 2));
            return g.Down(g.Node("Mul", [g.Silu(part), g.Node("Gather", [cut, g.Scalar(-1)], NodeBuilder.Int("axis", 2))]));
        }),
        ["sizes that do not fit"] = ("an MLP has [intermediate, hidden]", g => g.Node("MatMul", [g.Node("Mul", [g.Silu(g.Project()), g.Project()]), g.Weight(I, H + 1)])),
    };

    private static TensorProto Stored(TensorProto.Types.DataType type, int size)
    {
        TensorProto tensor = new() { DataType = (int)type, RawData = Google.Protobuf.ByteString.CopyFrom(new byte[H * I * size]) };
        tensor.Dims.AddRange([H, I]);
        return tensor;
    }

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_form_that_cannot_be_fused_is_refused_with_its_reason(string name)
    {
        MlpGraph graph = new();
        RewriteReport report = ModelRewriter.Inspect(graph.Build(Cases[name].Build(graph)));

        MlpReport mlp = Assert.Single(report.Mlps);
        Assert.Equal(MlpStatus.Refused, mlp.Status);
        Assert.Contains(Cases[name].Reason, mlp.Reason, StringComparison.Ordinal);
        Assert.False(string.IsNullOrEmpty(mlp.Node));
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public void Operators_older_than_version_13_are_a_reason_and_the_model_stays_as_it_is(int opset)
    {
        MlpGraph graph = new(opset);
        OnnxModel model = graph.Build(graph.Down(graph.Node("Mul", [graph.Silu(graph.Project()), graph.Project()])));
        byte[] before = model.ToBytes();

        RewriteReport seen = ModelRewriter.Inspect(model);
        MlpReport mlp = Assert.Single(seen.Mlps);
        Assert.Equal((MlpStatus.Refused, (long)H, (long)I), (mlp.Status, mlp.HiddenSize, mlp.IntermediateSize));
        Assert.Contains($"version {opset}; 13 or later is needed", mlp.Reason, StringComparison.Ordinal);

        RewriteReport report = ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = ThresholdTable.Uniform(seen, 1) });
        Assert.Equal((false, 0, 1), (report.Changed, report.Fused, report.Refused));
        Assert.Equal(before, model.ToBytes());
    }

    [Fact]
    public void Weights_with_NaN_are_refused_and_named()
    {
        MlpGraph graph = new();
        string weight = graph.Floats([H, I], [.. Enumerable.Range(0, H * I).Select(i => i == 5 ? float.NaN : i)]);
        OnnxModel model = graph.Build(graph.Down(graph.Node("Mul", [graph.Silu(graph.Node("MatMul", ["x", weight])), graph.Project()])));
        byte[] before = model.ToBytes();

        RewriteReport report = ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), 1) });

        Assert.False(report.Changed);
        Assert.Contains($"'{weight}' holds NaN", Assert.Single(report.Mlps).Reason, StringComparison.Ordinal);
        Assert.Equal(before, model.ToBytes());
    }

    [Fact]
    public void A_model_without_mlps_has_none()
    {
        MlpGraph graph = new();
        RewriteReport report = ModelRewriter.Inspect(graph.Build(graph.Node("Softmax", [graph.Project()])));
        Assert.Empty(report.Mlps);
        Assert.Contains("\"mlps\": []", report.ToJson(), StringComparison.Ordinal);
    }
}
