// SPDX-License-Identifier: MIT
// Forms that no stored export shows and exporters write: found, and equal to their source in ONNX Runtime.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Tests.Support;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Conformance;

public sealed class FormTests
{
    private const int H = MlpGraph.Hidden;
    private const int I = MlpGraph.Intermediate;

    private static readonly Dictionary<string, Func<MlpGraph, string>> Forms = new()
    {
        ["plain"] = g => g.Down(g.Node("Mul", [g.Silu(g.Project()), g.Project()])),
        ["up first, factors turned"] = g => { string up = g.Project(); return g.Down(g.Node("Mul", [up, g.Silu(g.Project())])); },
        ["sigmoid first"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Mul", [g.Node("Sigmoid", [v]), v]), g.Project()])); },
        ["exp"] = g =>
        {
            string v = g.Project();
            string one = g.Floats([], 1f);
            string silu = g.Node("Div", [v, g.Node("Add", [one, g.Node("Exp", [g.Node("Neg", [v])])])]);
            return g.Down(g.Node("Mul", [silu, g.Project()]));
        },
        ["bias added on either side"] = g =>
        {
            string gate = g.Node("Add", [g.Weight(I), g.Project()]);
            string up = g.Node("Add", [g.Project(), g.Weight(1, 1, I)]);
            return g.Node("Add", [g.Weight(H), g.Down(g.Node("Mul", [g.Silu(gate), up]))]);
        },
        ["identity and gate * 1"] = g => g.Down(g.Node("Identity", [g.Node("Mul", [g.Silu(g.Node("Mul", [g.Node("Identity", [g.Project()]), g.Floats([1], 1f)])), g.Project()])])),
        ["transposes"] = g =>
        {
            string gate = g.Node("MatMul", ["x", g.Node("Transpose", [g.Weight(I, H)])]);
            string up = g.Node("MatMul", ["x", g.Node("Transpose", [g.Weight(I, H)], NodeBuilder.Ints("perm", 1, 0))]);
            return g.Node("MatMul", [g.Node("Mul", [g.Silu(gate), up]), g.Node("Transpose", [g.Weight(H, I)], NodeBuilder.Ints("perm", 1, 0))]);
        },
        ["shared transpose"] = g =>
        {
            string weight = g.Node("Transpose", [g.Weight(I, H)]);
            return g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", weight])), g.Node("MatMul", ["x", weight])]));
        },
        ["constants as nodes"] = g =>
            g.Node("MatMul", [g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Constant(H, I)])), g.Node("MatMul", ["x", g.Constant(H, I)])]), g.Constant(I, H)]),
        ["constants as nodes behind Transpose"] = g =>
            g.Node("MatMul", [g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Node("Transpose", [g.Constant(I, H)])])), g.Project()]), g.Constant(I, H)]),
        ["casts around sigmoid"] = g =>
        {
            string v = g.Project();
            string sigmoid = g.Node("Cast", [g.Node("Sigmoid", [g.Node("Cast", [v], NodeBuilder.Int("to", 1))])], NodeBuilder.Int("to", 1));
            return g.Down(g.Node("Mul", [g.Node("Mul", [v, sigmoid]), g.Project()]));
        },
        ["split, up first"] = g =>
        {
            string[] halves = g.Nodes("Split", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(I, I)], 2, NodeBuilder.Int("axis", -1));
            return g.Down(g.Node("Mul", [halves[0], g.Silu(halves[1])]));
        },
        ["packed with bias, slices"] = g =>
        {
            string packed = g.Node("Add", [g.Node("MatMul", ["x", g.Node("Transpose", [g.Weight(2 * I, H)])]), g.Weight(2 * I)]);
            string gate = g.Node("Slice", [packed, g.Integers(0), g.Integers(I), g.Integers(-1), g.Integers(1)]);
            string up = g.Node("Slice", [packed, g.Integers(I), g.Integers(long.MaxValue), g.Integers(2)]);
            return g.Down(g.Node("Mul", [g.Silu(gate), up]));
        },
        ["interleaved, gate odd"] = g =>
        {
            string packed = g.Node("MatMul", ["x", g.Weight(H, 2 * I)]);
            string up = g.Node("Slice", [packed, g.Integers(0), g.Integers(long.MaxValue), g.Integers(-1), g.Integers(2)]);
            string gate = g.Node("Slice", [packed, g.Integers(1), g.Integers(long.MaxValue), g.Integers(-1), g.Integers(2)]);
            return g.Down(g.Node("Mul", [g.Silu(gate), up]));
        },
        ["QuickGelu with alpha 1"] = g => g.Down(g.Node("Mul", [g.Node("ms.QuickGelu", [g.Project()], MlpGraph.Float("alpha", 1f)), g.Project()])),
        ["FusedMatMul"] = g => g.Down(g.Node("Mul", [g.Silu(g.Node("ms.FusedMatMul", ["x", g.Weight(I, H)], NodeBuilder.Int("transB", 1))), g.Project()])),
        ["Gemm between reshapes"] = g =>
        {
            string Linear(string value, long from, long to, bool transposed)
            {
                string rows = g.Node("Reshape", [value, g.Integers(-1, from)]);
                string product = transposed
                    ? g.Node("Gemm", [rows, g.Weight(to, from), g.Weight(to)], NodeBuilder.Int("transB", 1))
                    : g.Node("Gemm", [rows, g.Weight(from, to)]);
                return g.Node("Reshape", [product, g.Integers(2, 3, to)]);
            }

            return Linear(g.Node("Mul", [g.Silu(Linear("x", H, I, true)), Linear("x", H, I, false)]), I, H, true);
        },
        ["gate * (sigmoid(gate) * up)"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [v, g.Node("Mul", [g.Node("Sigmoid", [v]), g.Project()])])); },
        ["(gate * up) * sigmoid(gate)"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Mul", [v, g.Project()]), g.Node("Sigmoid", [v])])); },
        ["sigmoid(gate) * (up * gate)"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Sigmoid", [v]), g.Node("Mul", [g.Project(), v])])); },
        ["(gate * up) / (1 + exp(-gate))"] = g => { string v = g.Project(); return g.Down(g.Node("Div", [g.Node("Mul", [v, g.Project()]), Denominator(g, v)])); },
        ["gate * (up / (1 + exp(-gate)))"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [v, g.Node("Div", [g.Project(), Denominator(g, v)])])); },
        ["regrouped and packed"] = g =>
        {
            string[] halves = g.Nodes("Split", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(I, I)], 2, NodeBuilder.Int("axis", -1));
            return g.Down(g.Node("Mul", [halves[0], g.Node("Mul", [g.Node("Identity", [g.Node("Sigmoid", [halves[0]])]), halves[1]])]));
        },
        ["gate * (1 / (1 + exp(-gate)))"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Mul", [v, g.Node("Div", [g.Floats([], 1f), Denominator(g, v)])]), g.Project()])); },
        ["reciprocal"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Project(), g.Node("Mul", [g.Node("Reciprocal", [Denominator(g, v)]), v])])); },
        ["exp of gate * -1"] = g =>
        {
            string v = g.Project();
            string exp = g.Node("Exp", [g.Node("Mul", [g.Floats([], -1f), v])]);
            return g.Down(g.Node("Mul", [g.Node("Div", [v, g.Node("Add", [exp, g.Floats([1], 1f)])]), g.Project()]));
        },
        ["sigmoid of 1.0 * gate"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Mul", [v, g.Node("Sigmoid", [g.Node("Mul", [g.Floats([], 1f), v])])]), g.Project()])); },
        ["weights behind Identity, Transpose, Reshape and Cast to their own type"] = g =>
        {
            string gate = g.Node("MatMul", ["x", g.Node("Identity", [g.Node("Transpose", [g.Node("Identity", [g.Weight(I, H)])], NodeBuilder.Ints("perm", 1, 0))])]);
            string up = g.Node("MatMul", ["x", g.Node("Cast", [g.Node("Reshape", [g.Weight(H, I), g.Integers(H, -1)])], NodeBuilder.Int("to", 1))]);
            string down = g.Node("Reshape", [g.Constant(1, I, 1, H), g.Integers(I, H)]);
            return g.Node("MatMul", [g.Node("Mul", [g.Silu(gate), up]), down]);
        },
        ["weights with a dimension of 1 before"] = g =>
        {
            string gate = g.Node("MatMul", ["x", g.Weight(1, H, I)]);
            string up = g.Node("MatMul", ["x", g.Node("Transpose", [g.Weight(1, I, H)], NodeBuilder.Ints("perm", 0, 2, 1))]);
            return g.Node("MatMul", [g.Node("Mul", [g.Silu(gate), up]), g.Node("Unsqueeze", [g.Weight(I, H), g.Integers(0)])]);
        },
        ["MatMul and Gemm on rows"] = g =>
        {
            string rows = g.Node("Reshape", ["x", g.Integers(-1, H)]);
            string gate = g.Node("MatMul", [rows, g.Weight(H, I)]);
            string up = g.Node("Gemm", [rows, g.Weight(I, H), g.Weight(I)], NodeBuilder.Int("transB", 1));
            return g.Node("Reshape", [g.Node("MatMul", [g.Node("Mul", [g.Silu(gate), up]), g.Weight(I, H)]), g.Integers(2, 3, H)]);
        },
        ["MatMul on rows, each projection between its own reshapes"] = g =>
        {
            string Linear(string value, long from, long to) =>
                g.Node("Reshape", [g.Node("MatMul", [g.Node("Reshape", [value, g.Integers(6, from)]), g.Weight(from, to)]), g.Integers(2, 3, to)]);
            return Linear(g.Node("Mul", [g.Silu(Linear("x", H, I)), Linear("x", H, I)]), I, H);
        },
        ["flattened once, three Gemms, unsqueezed"] = g =>
        {
            string rows = g.Node("Flatten", ["x"], NodeBuilder.Int("axis", 2));
            string gate = g.Node("Gemm", [rows, g.Weight(H, I)]);
            string up = g.Node("Gemm", [rows, g.Weight(H, I)]);
            return g.Node("Unsqueeze", [g.Node("Gemm", [g.Node("Mul", [g.Silu(gate), up]), g.Weight(I, H)]), g.Integers(0)]);
        },
        ["unsqueezed and squeezed around"] = g =>
        {
            string x = g.Node("Unsqueeze", ["x", g.Integers(1)]);
            string product = g.Node("Mul", [g.Silu(g.Node("MatMul", [x, g.Weight(H, I)])), g.Node("MatMul", [x, g.Weight(H, I)])]);
            return g.Node("Squeeze", [g.Node("MatMul", [product, g.Weight(I, H)]), g.Integers(1)]);
        },
        ["dropout at inference"] = g =>
        {
            string product = g.Node("Dropout", [g.Node("Mul", [g.Silu(g.Node("Dropout", [g.Project(), g.Floats([], 0.1f)])), g.Project()])]);
            return g.Down(product);
        },
        ["chunk of a length computed from the shape"] = g =>
        {
            // torch.onnx.export without dynamo writes chunk(2, dim=-1) so.
            string packed = g.Node("MatMul", ["x", g.Weight(H, 2 * I)]);
            string length = g.Node("Gather", [g.Node("Shape", [packed]), g.Integers(-1)], NodeBuilder.Int("axis", 0));
            string half = g.Node("Div", [g.Node("Add", [length, g.Integers(1)]), g.Integers(2)]);
            string middle = g.Node("Mul", [half, g.Integers(1)]);
            string gate = g.Node("Slice", [packed, g.Integers(0), middle, g.Integers(-1)]);
            string up = g.Node("Slice", [packed, middle, g.Node("Mul", [half, g.Integers(2)]), g.Integers(-1)]);
            return g.Down(g.Node("Mul", [up, g.Silu(gate)]));
        },
        ["Einsum"] = g =>
        {
            string gate = g.Node("Einsum", ["x", g.Weight(H, I)], MlpGraph.Text("equation", "bsh,hi->bsi"));
            string up = g.Node("Einsum", ["x", g.Weight(I, H)], MlpGraph.Text("equation", "...h, ih -> ...i"));
            return g.Node("Einsum", [g.Node("Mul", [g.Silu(gate), up]), g.Weight(I, H)], MlpGraph.Text("equation", "abc,cd->abd"));
        },
        ["sigmoid by Tanh"] = g =>
        {
            string v = g.Project();
            string tanh = g.Node("Tanh", [g.Node("Mul", [v, g.Floats([], 0.5f)])]);
            string sigmoid = g.Node("Add", [g.Node("Mul", [tanh, g.Floats([], 0.5f)]), g.Floats([], 0.5f)]);
            return g.Down(g.Node("Mul", [g.Node("Mul", [v, sigmoid]), g.Project()]));
        },
        ["two equal casts of x"] = g =>
        {
            string gate = g.Node("MatMul", [g.Node("Cast", ["x"], NodeBuilder.Int("to", 1)), g.Weight(H, I)]);
            string up = g.Node("MatMul", [g.Node("Cast", ["x"], NodeBuilder.Int("to", 1)), g.Weight(H, I)]);
            return g.Down(g.Node("Mul", [g.Silu(gate), up]));
        },
        ["packed, view [2, intermediate] and unbind"] = g =>
        {
            string cut = g.Node("Reshape", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(2, 3, 2, I)]);
            string gate = g.Node("Gather", [cut, g.Scalar(0)], NodeBuilder.Int("axis", -2));
            return g.Down(g.Node("Mul", [g.Silu(gate), g.Node("Gather", [cut, g.Scalar(1)], NodeBuilder.Int("axis", 2))]));
        },
        ["packed, view [intermediate, 2] and Split"] = g =>
        {
            string cut = g.Node("Reshape", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(2, 3, I, 2)]);
            string[] parts = g.Nodes("Split", [cut, g.Integers(1, 1)], 2, NodeBuilder.Int("axis", 3));
            string gate = g.Node("Squeeze", [parts[1], g.Integers(-1)]);
            return g.Down(g.Node("Mul", [g.Silu(gate), g.Node("Squeeze", [parts[0], g.Integers(3)])]));
        },
        ["casts around the product"] = g =>
        {
            string gate = g.Node("Cast", [g.Project()], NodeBuilder.Int("to", 1));
            return g.Down(g.Node("Cast", [g.Node("Mul", [g.Silu(gate), g.Project()])], NodeBuilder.Int("to", 1)));
        },
    };

    // float16 models with islands of float: the operator rounds a and y where these graphs do, and h once less.
    private static readonly Dictionary<string, Func<MlpGraph, string>> HalfForms = new()
    {
        ["all float16"] = g => HalfMlp(g, (gate, up) => g.Node("Mul", [g.Silu(gate), up])),
        ["sigmoid in float"] = g => HalfMlp(g, (gate, up) => g.Node("Mul", [g.Node("Mul", [gate, ToHalf(g, g.Node("Sigmoid", [ToFloat(g, gate)]))]), up])),
        ["SiLU in float"] = g => HalfMlp(g, (gate, up) => g.Node("Mul", [ToHalf(g, g.Silu(ToFloat(g, gate))), up])),
        ["SiLU and product in float"] = g => HalfMlp(g, (gate, up) => ToHalf(g, g.Node("Mul", [g.Silu(ToFloat(g, gate)), ToFloat(g, up)]))),
        ["packed, SiLU in float"] = g =>
        {
            string[] halves = g.Nodes("Split", [g.Node("MatMul", [ToHalf(g, "x"), g.HalfWeight(H, 2 * I)]), g.Integers(I, I)], 2, NodeBuilder.Int("axis", -1));
            return ToFloat(g, g.Node("MatMul", [g.Node("Mul", [ToHalf(g, g.Silu(ToFloat(g, halves[0]))), halves[1]]), g.HalfWeight(I, H)]));
        },
    };

    private static string ToHalf(MlpGraph g, string value) => g.Node("Cast", [value], NodeBuilder.Int("to", 10));

    private static string ToFloat(MlpGraph g, string value) => g.Node("Cast", [value], NodeBuilder.Int("to", 1));

    // x is cast for each projection, as the float16 converters do.
    private static string HalfMlp(MlpGraph g, Func<string, string, string> product)
    {
        string gate = g.Node("MatMul", [ToHalf(g, "x"), g.HalfWeight(H, I)]);
        string up = g.Node("MatMul", [ToHalf(g, "x"), g.HalfWeight(H, I)]);
        return ToFloat(g, g.Node("MatMul", [product(gate, up), g.HalfWeight(I, H)]));
    }

    private static string Denominator(MlpGraph g, string value) => g.Node("Add", [g.Node("Exp", [g.Node("Neg", [value])]), g.Floats([], 1f)]);

    public static TheoryData<string, int> Cases
    {
        get
        {
            TheoryData<string, int> cases = [];
            foreach (string form in Forms.Keys)
            {
                cases.Add(form, 13);
                cases.Add(form, 14);
                cases.Add(form, 21);
            }

            return cases;
        }
    }

    public static TheoryData<string> HalfCases => [.. HalfForms.Keys];

    [Theory]
    [MemberData(nameof(HalfCases))]
    public void A_float16_form_with_islands_of_float_is_fused_too(string form) => FusedAndEqual(HalfForms[form], 17, "float16");

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_form_is_fused_and_computes_what_its_source_computes(string form, int opset) => FusedAndEqual(Forms[form], opset, "float");

    private static void FusedAndEqual(Func<MlpGraph, string> form, int opset, string type)
    {
        OnnxModel Build()
        {
            MlpGraph graph = new(opset);
            return graph.Build(form(graph));
        }

        Random random = new(5);
        byte[] x = new byte[2 * 3 * H * sizeof(float)];
        for (int i = 0; i < x.Length; i += sizeof(float))
        {
            BitConverter.TryWriteBytes(x.AsSpan(i), (random.NextSingle() * 4) - 2);
        }

        Dictionary<string, NpyArray> inputs = new() { ["x"] = new NpyArray("<f4", [2, 3, H], x) };
        OnnxModel source = Build();
        using OrtRun dense = new(source, library: false, GraphOptimizationLevel.ORT_ENABLE_ALL);
        double[] expected = dense.Run(inputs).Values.Single();
        foreach (bool unfused in new[] { false, true })
        {
            OnnxModel model = Build();
            RewriteReport report = ExporterTests.Rewritten(model, unfused, 0.5f);
            Assert.Equal((1, 0), (report.Fused, report.Refused));
            foreach (bool library in new[] { true, false })
            {
                using OrtRun sparse = new(model, library, GraphOptimizationLevel.ORT_ENABLE_ALL);
                Assert.InRange(Tolerances.Difference(sparse.Run(inputs, 0f).Values.Single(), expected), 0, Tolerances.WholeGraph(type));
                Assert.NotEqual(0, Tolerances.Difference(sparse.Run(inputs).Values.Single(), expected));
            }

            ModelRewriter.Revert(model);
            Assert.Equal(Build().ToBytes(), model.ToBytes());
        }
    }

    [Fact]
    public void The_native_kernel_takes_the_node_at_every_level_and_the_function_takes_it_without_the_library()
    {
        foreach (GraphOptimizationLevel level in new[] { GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_BASIC, GraphOptimizationLevel.ORT_ENABLE_ALL })
        {
            foreach (bool library in new[] { true, false })
            {
                MlpGraph graph = new();
                OnnxModel model = graph.Build(Forms["plain"](graph));
                ExporterTests.Rewritten(model, unfused: false, 0.5f);
                using TemporaryFolder folder = new();
                string path = Path.Combine(folder.Path, "optimized.onnx");
                using (OrtRun run = new(model, library, level, path))
                {
                    Assert.Equal(2, run.Inputs.Count);
                }

                IEnumerable<string> operators = OnnxModel.Load(path).Proto.Graph.Node.Select(GraphText.Operator);
                Assert.Equal(library ? 1 : 0, operators.Count(name => name == "ai.cats.SparseGatedMlp"));
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(-1f)]
    [InlineData(0f)]
    [InlineData(1f)]
    [InlineData(float.PositiveInfinity)]
    public void Library_and_functions_keep_the_same_neurons_at_every_scale(float scale)
    {
        MlpGraph graph = new();
        string output = Forms["plain"](graph);
        Dictionary<string, NpyArray> inputs = new() { ["x"] = new NpyArray("<f4", [2, 3, H], [.. Enumerable.Range(0, 2 * 3 * H).SelectMany(i => BitConverter.GetBytes(MathF.Sin(i * 1.7f) * 2))]) };
        List<double[]> counts = [];
        foreach ((bool unfused, bool library) in new[] { (false, true), (false, false), (true, true), (true, false) })
        {
            OnnxModel model = OnnxModel.FromProto(graph.Proto.Clone());
            model.Proto.Graph.Output.Add(NodeBuilder.Info(output, TensorProto.Types.DataType.Float, null));
            ExporterTests.Rewritten(model, unfused, 0.3f);
            string active = GraphRewriter.Passes.ExposeActiveCounts.Apply(model).Single().Output;
            using OrtRun run = new(model, library, GraphOptimizationLevel.ORT_ENABLE_ALL);
            counts.Add(run.Run(inputs, scale)[active]);
        }

        Assert.All(counts, count => Assert.Equal(counts[0], count));
        if (!(scale > 0))
        {
            Assert.All(counts[0], count => Assert.Equal(I, count));
        }
    }
}
