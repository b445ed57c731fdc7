// SPDX-License-Identifier: MIT
// Every stored export, rewritten, in ONNX Runtime with and without the library: at threshold_scale 0 it computes what its
// source computes, within the tolerance table.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Tests.Support;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Conformance;

public sealed class EquivalenceTests(ITestOutputHelper output)
{
    private static readonly GraphOptimizationLevel[] Levels =
        [GraphOptimizationLevel.ORT_DISABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_BASIC, GraphOptimizationLevel.ORT_ENABLE_EXTENDED, GraphOptimizationLevel.ORT_ENABLE_ALL];

    public static TheoryData<string> Fixtures => ExporterFixture.Names;

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Rewritten_graph_at_scale_0_computes_what_its_source_computes(string name)
    {
        ExporterFixture fixture = ExporterFixture.Get(name);
        OnnxModel source = OnnxModel.Load(fixture.ModelPath);
        RewriteReport inspected = ModelRewriter.Inspect(source);
        if (inspected.Fusable == 0)
        {
            return;
        }

        string dtype = Widest(inspected);
        foreach ((string inputs, string expected) in fixture.Inputs)
        {
            Dictionary<string, NpyArray> arrays = NpzFile.Read(inputs);
            Dictionary<string, double[]> wanted = Source(source, arrays)
                ?? NpzFile.Read(expected).ToDictionary(pair => pair.Key, pair => pair.Value.ToDoubles(), StringComparer.Ordinal);
            foreach (bool unfused in new[] { false, true })
            {
                OnnxModel rewritten = OnnxModel.Load(fixture.ModelPath);
                ExporterTests.Rewritten(rewritten, unfused, 1f);
                foreach (bool library in new[] { true, false })
                {
                    Compare(fixture, rewritten, library, unfused, arrays, wanted, dtype);
                }
            }
        }
    }

    private void Compare(
        ExporterFixture fixture, OnnxModel rewritten, bool library, bool unfused, Dictionary<string, NpyArray> arrays,
        Dictionary<string, double[]> wanted, string dtype)
    {
        foreach (GraphOptimizationLevel level in Levels)
        {
            string run = $"{fixture.Name}, {(unfused ? "unfused" : "fused")}, {(library ? "with" : "without")} library, {level}";
            if (!CanRun(rewritten, library, level, out OrtRun? session, out string why))
            {
                Assert.False(CanRun(OnnxModel.Load(fixture.ModelPath), false, level, out OrtRun? original, out _), $"{run}: {why}");
                original?.Dispose();
                output.WriteLine($"LEFT OUT {run}: ONNX Runtime's CPU provider does not run it, nor its source");
                continue;
            }

            using (session)
            {
                foreach ((string name, double[] actual) in session!.Run(arrays, 0f))
                {
                    if (wanted.TryGetValue(name, out double[]? values))
                    {
                        double difference = Tolerances.Difference(actual, values);
                        Assert.True(difference <= Tolerances.WholeGraph(dtype), $"{run}: '{name}' differs by {difference:g3} of its largest value");
                    }
                }
            }
        }
    }

    private static bool CanRun(OnnxModel model, bool library, GraphOptimizationLevel level, out OrtRun? session, out string why)
    {
        try
        {
            session = new OrtRun(model, library, level);
            why = "";
            return true;
        }
        catch (OnnxRuntimeException e)
        {
            session = null;
            why = e.Message;
            return false;
        }
    }

    private static Dictionary<string, double[]>? Source(OnnxModel model, Dictionary<string, NpyArray> arrays)
    {
        if (!CanRun(model, false, GraphOptimizationLevel.ORT_ENABLE_ALL, out OrtRun? session, out _))
        {
            return null;
        }

        using (session)
        {
            return session!.Run(arrays);
        }
    }

    private static string Widest(RewriteReport report) =>
        report.Mlps.Any(mlp => mlp.Dtype == "bfloat16") ? "bfloat16" : report.Mlps.Any(mlp => mlp.Dtype == "float16") ? "float16" : "float";
}
