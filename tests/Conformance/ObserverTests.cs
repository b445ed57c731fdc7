// SPDX-License-Identifier: MIT
// Calibration and counting on the stored exports: what the observers count is what the rewritten graph then keeps.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Tests.Support;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Conformance;

public sealed class ObserverTests(ITestOutputHelper output)
{
    public static TheoryData<string> Fixtures => ExporterFixture.Names;

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void What_observers_count_is_what_the_rewritten_graph_keeps(string name)
    {
        ExporterFixture fixture = ExporterFixture.Get(name);
        OnnxModel observed = OnnxModel.Load(fixture.ModelPath);
        RewriteReport report = ModelRewriter.Inspect(observed);
        IReadOnlyList<GateObserverOutputs> layers = InsertGateObservers.Apply(observed, null);
        Assert.Equal(report.Layers.Select(layer => (int)layer.IntermediateSize), layers.Select(layer => layer.IntermediateSize));
        if (layers.Count == 0)
        {
            return;
        }

        Dictionary<string, NpyArray> arrays = NpzFile.Read(fixture.Inputs[0].Inputs);
        Dictionary<string, double[]> counted;
        try
        {
            using OrtRun run = new(observed, library: true, GraphOptimizationLevel.ORT_ENABLE_ALL);
            counted = run.Run(arrays);
        }
        catch (OnnxRuntimeException)
        {
            Assert.ThrowsAny<OnnxRuntimeException>(() => new OrtRun(OnnxModel.Load(fixture.ModelPath), library: false, GraphOptimizationLevel.ORT_ENABLE_ALL));
            output.WriteLine($"LEFT OUT {name}: ONNX Runtime's CPU provider does not run the source either");
            return;
        }

        double tokens = counted[layers[0].Tokens][0];
        Assert.True(tokens > 0);
        Assert.All(layers, layer =>
        {
            Assert.Equal(tokens, counted[layer.Tokens][0]);
            Assert.Equal(tokens * layer.IntermediateSize, counted[layer.Counts].Sum());
            Assert.True(counted[layer.UpAbsSum].All(sum => sum > 0));
        });

        // The median bin's lower edge, so that keeping is a question of bins; only the first layer sees the same activations.
        double[] counts = counted[layers[0].Counts];
        int bin = Array.FindIndex(Running(counts), sum => sum >= counts.Sum() / 2);
        double kept = counts[bin..].Sum();
        float threshold = BitConverter.Int32BitsToSingle(bin << 16);
        ThresholdTable table = ThresholdTable.Uniform(report, 0);
        table = table with { Layers = [.. table.Layers.Select((layer, i) => i == 0 ? layer with { Thresholds = [threshold] } : layer)] };
        foreach ((bool unfused, bool library) in new[] { (false, true), (false, false), (true, true), (true, false) })
        {
            OnnxModel model = OnnxModel.Load(fixture.ModelPath);
            ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = table, Unfused = unfused });
            IReadOnlyList<ActiveCount> active = ExposeActiveCounts.Apply(model);
            Assert.Equal(layers.Select(layer => layer.IntermediateSize), active.Select(count => count.IntermediateSize));
            using OrtRun run = new(model, library, GraphOptimizationLevel.ORT_ENABLE_ALL);
            Dictionary<string, double[]> results = run.Run(arrays);
            Assert.Equal(tokens, results[active[0].Output].Length);
            double flips = Math.Abs(results[active[0].Output].Sum() - kept);

            // A bin's edge is a float16 value that activations have, so there a last digit decides more often.
            double allowed = report.Mlps.Any(mlp => mlp.Dtype == "float16") ? 2 + (kept / 100) : 1 + (kept / 1000);
            Assert.True(flips <= allowed, $"{flips} of {kept} decisions differ (unfused {unfused}, library {library})");
            if (active.Count > 1)
            {
                Assert.Equal(tokens * active[1].IntermediateSize, results[active[1].Output].Sum());
            }
        }
    }

    private static double[] Running(double[] values)
    {
        double sum = 0;
        return [.. values.Select(value => sum += value)];
    }
}
