// SPDX-License-Identifier: MIT
// One file with a float and a float16 MLP: each type has its function, and both run with and without the library.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Tests.Support;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Conformance;

public sealed class TwoTypeTests
{
    private const int H = MlpGraph.Hidden;
    private const int I = MlpGraph.Intermediate;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Mlps_of_two_types_run_with_and_without_the_library(bool unfused)
    {
        Dictionary<string, NpyArray> inputs = new() { ["x"] = new NpyArray("<f4", [2, 3, H], [.. Enumerable.Range(0, 6 * H).SelectMany(i => BitConverter.GetBytes(MathF.Cos(i * 2.3f) * 2))]) };
        using OrtRun dense = new(Build(), library: false, GraphOptimizationLevel.ORT_ENABLE_ALL);
        double[] expected = dense.Run(inputs).Values.Single();
        OnnxModel model = Build();
        RewriteReport report = ExporterTests.Rewritten(model, unfused, 0.4f);
        Assert.Equal(["float", "float16"], report.Mlps.Select(mlp => mlp.Dtype));
        Assert.Equal((2, 0), (report.Fused, report.Refused));
        Assert.Equal(["", "float16"], model.Proto.Functions.Select(function => function.Overload));
        List<double[]> results = [];
        foreach (bool library in new[] { true, false })
        {
            using OrtRun sparse = new(model, library, GraphOptimizationLevel.ORT_ENABLE_ALL);
            Assert.InRange(Tolerances.Difference(sparse.Run(inputs, 0f).Values.Single(), expected), 0, Tolerances.WholeGraph("float16"));
            results.Add(sparse.Run(inputs).Values.Single());
            Assert.NotEqual(0, Tolerances.Difference(results[^1], expected));
        }

        Assert.InRange(Tolerances.Difference(results[0], results[1]), 0, Tolerances.WholeGraph("float16"));
        ModelRewriter.Revert(model);
        Assert.Equal(Build().ToBytes(), model.ToBytes());
    }

    private static OnnxModel Build()
    {
        MlpGraph g = new();
        string first = g.Down(g.Node("Mul", [g.Silu(g.Project()), g.Project()]));
        string half = g.Node("Cast", [first], NodeBuilder.Int("to", (int)TensorProto.Types.DataType.Float16));
        string gate = g.Node("MatMul", [half, Halves(g, H, I, 1)]);
        string up = g.Node("MatMul", [half, Halves(g, H, I, 2)]);
        string down = g.Node("MatMul", [g.Node("Mul", [g.Silu(gate), up]), Halves(g, I, H, 3)]);
        return g.Build(g.Node("Cast", [down], NodeBuilder.Int("to", (int)TensorProto.Types.DataType.Float)));
    }

    private static string Halves(MlpGraph g, long rows, long columns, int seed)
    {
        byte[] bytes = [.. Enumerable.Range(0, (int)(rows * columns)).SelectMany(i => BitConverter.GetBytes((Half)MathF.Sin(i * seed * 0.9f)))];
        TensorProto tensor = new() { DataType = (int)TensorProto.Types.DataType.Float16, RawData = ByteString.CopyFrom(bytes) };
        tensor.Dims.AddRange([rows, columns]);
        return g.Add(tensor);
    }
}
