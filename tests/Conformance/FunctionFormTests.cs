// SPDX-License-Identifier: MIT
// Graphs as torch's dynamo_export of 2.1 to 2.4 writes them: every module and every ATen operator is a model-local function,
// functions call functions, attributes are handed down by reference. Built here, found, and equal to their source.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Tests.Support;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Conformance;

public sealed class FunctionFormTests
{
    private const int H = MlpGraph.Hidden;
    private const int I = MlpGraph.Intermediate;
    private const string Modules = "pkg.transformers.4.41.0";
    private const string Torch = "pkg.torch.2.4.0";
    private const string Aten = "pkg.onnxscript.torch_lib";

    public static TheoryData<string> Layouts => ["a function for each module", "the model is one function", "only SiLU is a function", "every operator is a function of the main graph"];

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Mlps_in_nested_functions_are_fused_and_revert_restores_the_functions(string layout)
    {
        Dictionary<string, NpyArray> inputs = new() { ["x"] = new NpyArray("<f4", [2, 3, H], [.. Enumerable.Range(0, 6 * H).SelectMany(i => BitConverter.GetBytes(MathF.Sin(i * 1.7f) * 2))]) };
        using OrtRun dense = new(Build(layout), library: false, GraphOptimizationLevel.ORT_ENABLE_ALL);
        double[] expected = dense.Run(inputs).Values.Single();
        foreach (bool unfused in new[] { false, true })
        {
            OnnxModel model = Build(layout);
            RewriteReport report = ExporterTests.Rewritten(model, unfused, 0.5f);
            Assert.Equal((2, 0), (report.Fused, report.Refused));
            foreach (bool library in new[] { true, false })
            {
                using OrtRun sparse = new(model, library, GraphOptimizationLevel.ORT_ENABLE_ALL);
                Assert.InRange(Tolerances.Difference(sparse.Run(inputs, 0f).Values.Single(), expected), 0, Tolerances.WholeGraph("float"));
                Assert.NotEqual(0, Tolerances.Difference(sparse.Run(inputs).Values.Single(), expected));
            }

            ModelRewriter.Revert(model);
            Assert.Equal(Build(layout).ToBytes(), model.ToBytes());
        }
    }

    [Fact]
    public void A_function_that_calls_itself_is_an_error_that_names_it()
    {
        OnnxModel model = Build("a function for each module");
        model.Proto.Functions.Single(function => function.Name == "aten_silu").Node.Add(Call(Aten, "aten_silu", ["self"], ["again"]));
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => ModelRewriter.Inspect(model));
        Assert.Contains("aten_silu", error.Message, StringComparison.Ordinal);
    }

    private static OnnxModel Build(string layout)
    {
        MlpGraph graph = new(18);
        foreach (string domain in new[] { Modules, Torch, Aten, $"{Aten}.common" })
        {
            graph.Proto.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = 1 });
        }

        graph.Proto.Functions.AddRange(Functions());
        string[][] weights = [.. Enumerable.Range(0, 2).Select(_ => new[] { graph.Weight(I, H), graph.Weight(I, H), graph.Weight(H, I) })];
        if (layout == "the model is one function")
        {
            string[] all = [.. weights.SelectMany(names => names)];
            NodeProto[] nodes = [Mlp("a", "x", ["w0", "w1", "w2"]), Mlp("b", "a", ["w3", "w4", "w5"])];
            graph.Proto.Functions.Add(Function(Modules, "LlamaModel", ["x", "w0", "w1", "w2", "w3", "w4", "w5"], ["b"], nodes));
            graph.Proto.Graph.Node.Add(Call(Modules, "LlamaModel", ["x", .. all], ["y"]));
            return graph.Build("y");
        }

        string value = "x";
        for (int layer = 0; layer < 2; layer++)
        {
            string y = layer == 1 ? "y" : $"y{layer}";
            string[] names = weights[layer];
            graph.Proto.Graph.Node.AddRange(layout switch
            {
                "a function for each module" => [Mlp(y, value, names)],
                "only SiLU is a function" =>
                [
                    .. Product($"{y}.gate", value, names[0]),
                    Call(Aten, "aten_silu", [$"{y}.gate"], [$"{y}.silu"]),
                    .. Product($"{y}.up", value, names[1]),
                    NodeBuilder.Node("Mul", [$"{y}.silu", $"{y}.up"], [$"{y}.h"]),
                    .. Product(y, $"{y}.h", names[2]),
                ],
                _ =>
                [
                    .. Rows($"{y}.gate", value, names[0], H, I),
                    .. Rows($"{y}.up", value, names[1], H, I),
                    Call(Aten, "aten_silu", [$"{y}.gate"], [$"{y}.silu"]),
                    Call(Aten, "aten_mul", [$"{y}.silu", $"{y}.up"], [$"{y}.h"]),
                    .. Rows(y, $"{y}.h", names[2], I, H),
                ],
            });
            value = y;
        }

        return graph.Build("y");
    }

    private static NodeProto Mlp(string y, string x, string[] weights) => Call(Modules, "LlamaMLP", [x, .. weights], [y]);

    private static NodeProto[] Product(string y, string x, string weight) =>
        [NodeBuilder.Node("Transpose", [weight], [$"{y}.t"], NodeBuilder.Ints("perm", 1, 0)), NodeBuilder.Node("MatMul", [x, $"{y}.t"], [y])];

    // view, t, addmm without a bias, view: each a call, the shapes as Constant nodes beside them.
    private static NodeProto[] Rows(string y, string x, string weight, long from, long to) =>
    [
        NodeBuilder.Integers($"{y}.rows", 6, from),
        Call(Aten, "aten_view", [x, $"{y}.rows"], [$"{y}.x"]),
        Call(Aten, "aten_t", [weight], [$"{y}.t"]),
        Call(Aten, "aten_mm", [$"{y}.x", $"{y}.t"], [$"{y}.mm"], MlpGraph.Float("alpha", 1)),
        NodeBuilder.Integers($"{y}.shape", 2, 3, to),
        Call(Aten, "aten_view", [$"{y}.mm", $"{y}.shape"], [y]),
    ];

    private static IEnumerable<FunctionProto> Functions()
    {
        yield return Function(Modules, "LlamaMLP", ["hidden", "gate_w", "up_w", "down_w"], ["result"],
            Call(Torch, "Linear_gate_proj_1", ["hidden", "gate_w"], ["gate"]),
            Call(Torch, "SiLU_act_fn_1", ["gate"], ["act"]),
            Call(Torch, "Linear_gate_proj_1", ["hidden", "up_w"], ["up"]),
            Call(Aten, "aten_mul", ["act", "up"], ["mul"]),
            Call(Torch, "Linear_gate_proj_1", ["mul", "down_w"], ["result"]));
        yield return Function(Torch, "Linear_gate_proj_1", ["input", "weight"], ["linear"],
            Call(Aten, "aten_t", ["weight"], ["t"]),
            NodeBuilder.Node("MatMul", ["input", "t"], ["linear"]));
        yield return Function(Torch, "SiLU_act_fn_1", ["input"], ["silu"], Call(Aten, "aten_silu", ["input"], ["silu"]));
        yield return Function(Aten, "aten_silu", ["self"], ["return_val"],
            NodeBuilder.Node("Sigmoid", ["self"], ["tmp"]),
            NodeBuilder.Node("Mul", ["self", "tmp"], ["return_val"]));
        yield return Function(Aten, "aten_mul", ["self", "other"], ["return_val"], NodeBuilder.Node("Mul", ["self", "other"], ["return_val"]));
        yield return Function(Aten, "aten_t", ["self"], ["return_val"], NodeBuilder.Node("Transpose", ["self"], ["return_val"], NodeBuilder.Ints("perm", 1, 0)));
        NodeProto reshape = NodeBuilder.Node("Reshape", ["self", "size_0"], ["return_val"]);
        yield return Function(Aten, "aten_view", ["self", "size"], ["return_val"], NodeBuilder.Node("Cast", ["size"], ["size_0"], NodeBuilder.Int("to", 7)), reshape);
        NodeProto gemm = NodeBuilder.Node("Gemm", ["self", "mat2"], ["return_val"]);
        gemm.Attribute.Add(new AttributeProto { Name = "alpha", RefAttrName = "alpha", Type = AttributeProto.Types.AttributeType.Float });
        gemm.Attribute.Add(new AttributeProto { Name = "beta", RefAttrName = "beta", Type = AttributeProto.Types.AttributeType.Float });
        FunctionProto mm = Function(Aten, "aten_mm", ["self", "mat2"], ["return_val"], gemm);
        mm.Attribute.Add("alpha");
        mm.AttributeProto.Add(MlpGraph.Float("beta", 1));
        yield return mm;
    }

    private static FunctionProto Function(string domain, string name, string[] inputs, string[] outputs, params NodeProto[] nodes)
    {
        FunctionProto function = new() { Domain = domain, Name = name };
        function.Input.AddRange(inputs);
        function.Output.AddRange(outputs);
        function.Node.AddRange(nodes);
        function.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 18 });
        foreach (string used in nodes.Select(node => node.Domain).Where(used => used.Length > 0).Distinct())
        {
            function.OpsetImport.Add(new OperatorSetIdProto { Domain = used, Version = 1 });
        }

        return function;
    }

    private static NodeProto Call(string domain, string name, string[] inputs, string[] outputs, params AttributeProto[] attributes)
    {
        NodeProto node = NodeBuilder.Node(name, inputs, outputs, attributes);
        node.Domain = domain;
        node.Name = $"{name}_{outputs[0]}";
        return node;
    }
}
