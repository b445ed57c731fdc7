// SPDX-License-Identifier: MIT
// Makes or takes a dense model, makes it sparse at the asked sparsities, and times both in turns.
using System.Text.Json.Nodes;
using CatsOnnx.Calibration;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Evaluation.Speed;
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Output;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Synthesis;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Text;

namespace CatsOnnx.Cli.Jobs;

internal static class BenchJob
{
    private const ulong Seed = 1;
    private const int WindowTokens = 128;
    private const int Windows = 8;
    private const int PrefillRepeats = 9;
    private const int BlockSteps = 8;

    public static int Run(BenchRequest request, ToolOutput output, CancellationToken cancellation)
    {
        output.Result(Execute(request, line => output.Line(line), cancellation).Document);
        return ExitCode.Done;
    }

    /// <summary>Does the work.</summary>
    /// <param name="request">What to time.</param>
    /// <param name="line">Gets the table, line by line.</param>
    /// <param name="cancellation">Ends it early.</param>
    public static (IReadOnlyList<BenchRow> Rows, JsonObject Document) Execute(BenchRequest request, Action<string> line, CancellationToken cancellation)
    {
        using WorkFolder work = new("cats-bench-", request.Work);
        ModelInput source = Source(request, work.Path, cancellation);
        GateObservations observations = request.Observations ?? Calibrate(source, request, cancellation);
        string rewritten = Path.Combine(work.Path, "rewritten");
        RewriteReport report = Rewrite(source, observations.ToThresholds(request.Sparsities[0]), rewritten, cancellation);
        long bytes = MlpBytes(report);
        double? ceiling = MemoryBandwidth.MeasureRead(request.Placement.Device);
        line(ToolOutput.Format($"{request.Shape?.Name ?? request.Model}, {report.Mlps.First(mlp => mlp.Status == MlpStatus.Fused).Dtype}, on {DeviceName(request.Placement.Device)}: {report.Fused} MLPs of {Quantity.Bytes(bytes / report.Fused)}, read ceiling {(ceiling is { } rate ? Quantity.Bytes((long)rate) + "/s" : "not measured")}, context of {request.Context} tokens, {request.Steps} steps{(request.Placement.Device.IsCpu ? "" : $" in blocks of {Math.Min(BlockSteps, request.Steps)}")} in turns"));
        (List<BenchRow> rows, List<PrefillRow> prefill, int fusedNorms) = Time(request, source, ModelFolder.Open(rewritten), observations, report, bytes, ceiling, line, cancellation);
        return (rows, new JsonObject
        {
            ["model"] = request.Shape?.Name ?? request.Model,
            ["device"] = DeviceName(request.Placement.Device),
            ["onnxruntime"] = Microsoft.ML.OnnxRuntime.OrtEnv.Instance().GetVersionString(),
            ["mlps"] = report.Fused,
            ["mlp_bytes"] = bytes / report.Fused,
            ["fused_norms"] = fusedNorms,
            ["read_ceiling_bytes_per_second"] = ToolOutput.Number(ceiling),
            ["context"] = request.Context,
            ["decode"] = new JsonArray([.. rows.Select(row => row.Json())]),
            ["prefill"] = new JsonArray([.. prefill.Select(row => row.Json())]),
        });
    }

    private static (List<BenchRow> Rows, List<PrefillRow> Prefill, int FusedNorms) Time(
        BenchRequest request,
        ModelInput source,
        ModelFolder rewritten,
        GateObservations observations,
        RewriteReport report,
        long bytes,
        double? ceiling,
        Action<string> line,
        CancellationToken cancellation)
    {
        ModelSessionOptions options = Options(request.Placement) with { FuseNorms = request.FuseNorms };
        using ModelSession dense = ProgressBar.Wait("opening the model", () => ModelSession.Open(source.Folder, options));
        OnnxModel bare = OnnxModel.Load(rewritten.ModelPath);
        WithoutMlps.Apply(bare);
        using ModelSession rest = ModelSession.Open(bare, rewritten, options);
        List<BenchRow> rows = [];
        List<PrefillRow> prefill = [];
        int fusedNorms = 0;
        int block = request.Placement.Device.IsCpu ? 1 : Math.Min(BlockSteps, request.Steps);
        foreach (double target in request.Sparsities)
        {
            OnnxModel graph = OnnxModel.Load(rewritten.ModelPath);
            ModelRewriter.Rewrite(graph, new RewriteOptions { Thresholds = observations.ToThresholds(target), CheckFinite = false });
            IReadOnlyList<ActiveCount> counts = ExposeActiveCounts.Apply(graph);
            using ModelSession sparse = ModelSession.Open(graph, rewritten, options, [.. counts.Select(count => count.Output)]);
            TokenGeneratorOptions counting = TokenGeneratorOptions.Counting(counts);
            if (rows.Count == 0)
            {
                fusedNorms = sparse.FusedNorms;
                if (fusedNorms > 0)
                {
                    line(ToolOutput.Format($"{fusedNorms} norms run inside the kernels of the sparse MLPs after them:")
                        + " \"MLP sparse, us\" (a token less the model without MLPs, for each layer) has their saving too");
                }

                line("");
                line(BenchRow.Header);
            }

            foreach (int batch in request.Rows)
            {
                foreach (bool captured in sparse.UsesCudaGraph ? (bool[])[true, false] : [false])
                {
                    TokenGeneratorOptions plain = new() { CudaGraph = captured };
                    using BatchDecoder first = new(dense, batch, plain);
                    using BatchDecoder second = new(sparse, batch, counting with { CudaGraph = captured });
                    using BatchDecoder third = new(rest, batch, plain);
                    double[][] times = ProgressBar.Run(ToolOutput.Format($"timing {target:0%}, {batch} rows"), "steps", 1, progress => DecodeComparison.StepTimes(
                        [first, second, third], request.Context, request.Steps, block, dense.Signature.VocabSize, cancellation, progress: ProgressForwarding.ForTokens(progress)));
                    BenchRow row = new(
                        target, second.Sparsity, batch, captured, PairedTiming.Of(times[0], times[1]), PairedTiming.Quantile(times[2], .5), report.Fused, bytes, ceiling);
                    rows.Add(row);
                    line(row.Line());
                }
            }

            if (target == request.Sparsities[0])
            {
                foreach (int tokens in request.Prefill)
                {
                    using BatchDecoder first = new(dense, 1, new TokenGeneratorOptions { PrefillChunk = tokens });
                    using BatchDecoder second = new(sparse, 1, counting with { PrefillChunk = tokens });
                    double[][] times = ProgressBar.Run(ToolOutput.Format($"timing a prompt of {tokens}"), "tokens", 1, progress => DecodeComparison.PrefillTimes(
                        [first, second], tokens, PrefillRepeats, dense.Signature.VocabSize, cancellation, ProgressForwarding.ForTokens(progress)));
                    prefill.Add(new PrefillRow(tokens, PairedTiming.Of(times[0], times[1])));
                }
            }
        }

        if (prefill.Count > 0)
        {
            line("");
            line(PrefillRow.Header);
            prefill.ForEach(row => line(row.Line()));
        }

        return (rows, prefill, fusedNorms);
    }

    // The threads of the session that does not run would spin on the other's processors: all stop at once.
    private static ModelSessionOptions Options(Placement placement)
    {
        ModelSessionOptions options = Sessions.Options(placement);
        return placement.Device.IsCpu
            ? options with
            {
                Configure = made =>
                {
                    options.Configure?.Invoke(made);
                    made.AddSessionConfigEntry("session.force_spinning_stop", "1");
                },
            }
            : options;
    }

    private static ModelInput Source(BenchRequest request, string work, CancellationToken cancellation)
    {
        if (request.Shape is { } shape)
        {
            string folder = Path.Combine(work, "source");
            ProgressBar.Run($"making {shape.Name}", "MB", 1e6, progress =>
                DecoderModel.Write(shape, request.Dtype, Seed, folder, ProgressForwarding.For(progress), cancellation));
            return ModelInput.Open(folder);
        }

        ModelInput input = ModelInput.Open(request.Model!);
        return ModelRewriter.Inspect(input.Graph).Fused == 0
            ? input
            : throw new UnsuitableInputException($"{request.Model} is rewritten already; give its source (cats revert makes it): the benchmark makes its own thresholds.");
    }

    private static GateObservations Calibrate(ModelInput source, BenchRequest request, CancellationToken cancellation)
    {
        TextWindows windows;
        if (request.Texts.Count > 0)
        {
            windows = TextInput.Read(source.Folder, request.Texts, null, null);
        }
        else
        {
            int vocabulary = source.Folder.Config.VocabSize ?? throw new UnsuitableInputException($"{request.Model} says no vocab_size; give --text FILE to calibrate on.");
            windows = RandomText.Windows(Windows, WindowTokens, vocabulary);
        }

        return ProgressBar.Run("calibrating", "tokens", 1, progress => CalibrationRun.Run(
            source.Folder,
            windows,
            new CalibrationOptions { Sparsity = request.Sparsities[0], Progress = ProgressForwarding.ForTokens(progress), Session = Sessions.Options(request.Placement) },
            cancellation));
    }

    private static RewriteReport Rewrite(ModelInput source, ThresholdTable thresholds, string folder, CancellationToken cancellation)
    {
        OnnxModel model = OnnxModel.Load(source.Folder.ModelPath);
        RewriteReport report = ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = thresholds, CheckFinite = false });
        RewrittenFolder target = new()
        {
            Source = source.Folder.Layout == ModelLayout.Bare ? source.Folder.ModelPath : source.Folder.Root,
            Model = model,
            Target = folder,
            Thresholds = System.Text.Encoding.UTF8.GetBytes(thresholds.ToJson()),
        };
        ProgressBar.Run("rewriting", "MB", 1e6, progress => target.Write(ProgressForwarding.For(progress), cancellation));
        return report;
    }

    private static long MlpBytes(RewriteReport report)
    {
        long bytes = 0;
        foreach (MlpReport mlp in report.Mlps.Where(mlp => mlp.Status == MlpStatus.Fused))
        {
            bytes += 3 * mlp.HiddenSize * mlp.IntermediateSize * (mlp.Dtype == "float" ? sizeof(float) : sizeof(ushort));
        }

        return bytes;
    }

    private static string DeviceName(Device device) => device.IsCpu ? $"cpu ({Environment.ProcessorCount} cores)" : $"{device} ({device.Name()})";
}
