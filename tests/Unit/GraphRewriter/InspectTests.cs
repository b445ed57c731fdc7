// SPDX-License-Identifier: MIT
// Any readable ONNX model can be looked through: other kinds of networks, odd files, very many nodes.
using System.Runtime.InteropServices;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.GraphRewriter;

public sealed class InspectTests
{
    private static readonly Dictionary<string, Func<OnnxModel>> Models = new()
    {
        ["an empty graph"] = () => OnnxModel.FromProto(new ModelProto { IrVersion = 8, Graph = new GraphProto(), OpsetImport = { new OperatorSetIdProto { Version = 17 } } }),
        ["a network of convolutions"] = () => Of(g =>
        {
            string conv = g.Node("Conv", ["x", g.Weight(8, 3, 3, 3), g.Weight(8)]);
            string silu = g.Silu(g.Node("BatchNormalization", [conv, g.Weight(8), g.Weight(8), g.Weight(8), g.Weight(8)]));
            string squeeze = g.Node("Sigmoid", [g.Node("Conv", [g.Node("GlobalAveragePool", [silu]), g.Weight(8, 8, 1, 1)])]);
            return g.Node("Gemm", [g.Node("Flatten", [g.Node("Mul", [silu, squeeze])]), g.Weight(8, 10)]);
        }),
        ["an LSTM and a loop without a body"] = () => Of(g =>
        {
            string[] lstm = g.Nodes("LSTM", ["x", g.Weight(1, 16, 4), g.Weight(1, 16, 4)], 3);
            return g.Node("Loop", ["", "", lstm[0]]);
        }),
        ["nodes without inputs, outputs or operators"] = () => Of(g =>
        {
            g.Proto.Graph.Node.Add(new NodeProto());
            g.Proto.Graph.Node.Add(new NodeProto { OpType = "Mul" });
            g.Proto.Graph.Node.Add(new NodeProto { OpType = "Sigmoid", Input = { "nowhere" }, Output = { "" } });
            return g.Node("Mul", [g.Node("Mul", ["nowhere", g.Node("Sigmoid", [])]), g.Node("MatMul", ["x"])]);
        }),
        ["weights given as sparse initializers"] = () => Of(g =>
        {
            SparseTensorProto sparse = new()
            {
                Values = new TensorProto { Name = "sparse", DataType = 1, Dims = { 1 }, RawData = Google.Protobuf.ByteString.CopyFrom(new byte[4]) },
                Indices = new TensorProto { DataType = 7, Dims = { 1 }, RawData = Google.Protobuf.ByteString.CopyFrom(new byte[8]) },
            };
            sparse.Dims.AddRange([4L, 6L]);
            g.Proto.Graph.SparseInitializer.Add(sparse);
            g.Proto.Graph.SparseInitializer.Add(new SparseTensorProto());
            return g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", "sparse"])), g.Project()]));
        }),
        ["training information"] = () =>
        {
            OnnxModel model = Of(g => g.Node("Relu", ["x"]));
            model.Proto.TrainingInfo.Add(new TrainingInfoProto { Algorithm = new GraphProto { Node = { new NodeProto { OpType = "Sub", Input = { "a", "b" }, Output = { "c" } } } } });
            return model;
        },
        ["functions that nothing calls, and calls of unknown ones"] = () =>
        {
            OnnxModel model = Of(g => g.Node("Unknown", ["x"]));
            model.Proto.Functions.Add(new FunctionProto { Domain = "local", Name = "f", Node = { new NodeProto { OpType = "Mul", Input = { "p", "q" }, Output = { "r" } } } });
            model.Proto.Functions.Add(new FunctionProto());
            return model;
        },
        ["constants that hold no number"] = () => Of(g => g.Down(g.Node("Mul", [g.Silu(g.Node("Mul", [g.Project(), g.Add(new TensorProto { DataType = 1, Dims = { 0 } })])), g.Node("Constant", [])]))),
    };

    public static TheoryData<string> Names => [.. Models.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_model_of_any_kind_is_looked_through(string name)
    {
        RewriteReport report = ModelRewriter.Inspect(Models[name]());
        Assert.Equal(0, report.Fusable);
        Assert.All(report.Mlps, mlp => Assert.False(string.IsNullOrWhiteSpace(mlp.Reason)));
        Assert.Equal(report.Mlps.Count, report.Refused);
    }

    // 2,000 against 20,000 nodes: a quadratic search would take a hundred times as long and more, a linear one ten, and a
    // few times that where the graph leaves the processor's cache. Processor time of this thread: other programs do not count.
    [Fact]
    public void Time_grows_with_the_number_of_nodes_and_not_with_its_square()
    {
        double small = Enumerable.Range(0, 5).Min(_ => Seconds(200));
        double large = Enumerable.Range(0, 3).Min(_ => Seconds(2_000));
        TestContext.Current.TestOutputHelper?.WriteLine($"2,000 nodes {small:F3} s, 20,000 nodes {large:F3} s");
        Assert.InRange(large, 0, Math.Max(small * 75, 1));
    }

    private static double Seconds(int layers)
    {
        MlpGraph g = new();
        string weight = g.Weight(MlpGraph.Hidden, MlpGraph.Intermediate);
        string down = g.Weight(MlpGraph.Intermediate, MlpGraph.Hidden);
        string value = "x";
        for (int layer = 0; layer < layers; layer++)
        {
            string gate = g.Node("MatMul", [value, weight]);
            string product = g.Node("Mul", [layer % 2 == 0 ? g.Silu(gate) : g.Node("Mul", [gate, g.Node("Relu", [gate])]), g.Node("MatMul", [value, weight])]);
            string sum = g.Node("Add", [value, g.Node("MatMul", [product, down])]);
            value = g.Node("Neg", [g.Node("Abs", [g.Node("Softmax", [sum])])]);
        }

        OnnxModel model = g.Build(value);
        double start = ProcessorSeconds();
        RewriteReport report = ModelRewriter.Inspect(model);
        double seconds = ProcessorSeconds() - start;
        Assert.Equal((layers / 2, layers / 2), (report.Fusable, report.Refused));
        return seconds;
    }

    private static double ProcessorSeconds()
    {
        const int ThreadProcessorTime = 3; // CLOCK_THREAD_CPUTIME_ID
        Assert.Equal(0, clock_gettime(ThreadProcessorTime, out ClockTime time));
        return time.Seconds + (1e-9 * time.Nanoseconds);
    }

    [DllImport("libc")]
    private static extern int clock_gettime(int clock, out ClockTime time);

    private struct ClockTime
    {
        public long Seconds;
        public long Nanoseconds;
    }

    private static OnnxModel Of(Func<MlpGraph, string> build)
    {
        MlpGraph graph = new();
        return graph.Build(build(graph));
    }
}
