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

    public static TheoryData<string, int> Cases
    {
        get
        {
            TheoryData<string, int> cases = [];
            foreach (string form in ExporterForms.Float.Keys)
            {
                cases.Add(form, 13);
                cases.Add(form, 14);
                cases.Add(form, 21);
            }

            return cases;
        }
    }

    public static TheoryData<string> HalfCases => [.. ExporterForms.Half.Keys];

    [Theory]
    [MemberData(nameof(HalfCases))]
    public void A_float16_form_with_islands_of_float_is_fused_too(string form) => FusedAndEqual(ExporterForms.Half[form], 17, "float16");

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_form_is_fused_and_computes_what_its_source_computes(string form, int opset) => FusedAndEqual(ExporterForms.Float[form], opset, "float");

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
                OnnxModel model = graph.Build(ExporterForms.Float["plain"](graph));
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
        string output = ExporterForms.Float["plain"](graph);
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
