// SPDX-License-Identifier: MIT
// From an exported model to a complete folder with the sparse one: thresholds, rewrite, check, report.
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Output;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;

namespace CatsOnnx.Cli.Jobs;

internal static class RewriteJob
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static int Run(RewriteRequest request, ToolOutput output, CancellationToken cancellation)
    {
        RewriteOutcome outcome = Execute(request, output, cancellation);
        RewriteReport report = outcome.Report;
        if (!report.Changed)
        {
            output.Line("The model has these thresholds already: nothing was changed, the folder is a copy.");
        }

        output.Line($"{outcome.Folder}: {report.Fused} of {report.Mlps.Count} MLPs sparse, {report.Refused} left dense");
        output.Line($"  thresholds   {outcome.Method}, target {outcome.TargetSparsity:0.0%}, {outcome.CalibratedSparsity:0.0%} on the calibration text{(outcome.Calibration > TimeSpan.Zero ? $" ({Quantity.Seconds(outcome.Calibration)})" : "")}");
        output.Line($"  size         {Quantity.Bytes(outcome.SourceBytes)} before, {Quantity.Bytes(outcome.ResultBytes)} after, written in {Quantity.Seconds(outcome.Writing)}");
        output.Line($"  check        {outcome.Check.Status}{(outcome.Check.MaxDifference is { } difference ? ToolOutput.Format($": logits at threshold scale 0 within {difference:0.0e+0} of the source's ({outcome.Check.Tolerance:0.0e+0} allowed)") : $": {outcome.Check.Reason}")}");
        output.Line($"  library      {(outcome.Library is null ? "none beside the model; the tool and CatsOnnx bring their own" : Path.GetFileName(outcome.Library))}");
        output.Note($"next: cats generate {request.Output} --prompt TEXT, cats eval {request.Output} --text FILE --against {request.Model}");
        output.Result(Document(outcome));
        return ExitCode.Done;
    }

    /// <summary>Does the work; warns of MLPs that stay dense.</summary>
    /// <exception cref="UsageException">The output overlaps the model.</exception>
    /// <exception cref="UnsuitableInputException">Nothing can be rewritten, or not all where all was demanded, or the check failed.</exception>
    public static RewriteOutcome Execute(RewriteRequest request, ToolOutput output, CancellationToken cancellation)
    {
        ModelInput input = ModelInput.Open(request.Model);
        OutputFolder.RequireApart(input.Folder.Root, request.Output);
        OutputFolder.RequireFree(request.Output, request.Overwrite);
        string? library = NativeLibrary.Find(request.Rid ?? (input.Folder.Layout == ModelLayout.GenAI ? NativeLibrary.DefaultRid : NativeLibrary.NoRid));
        RewriteReport inspected = ModelRewriter.Inspect(input.Graph);
        RequireUseful(inspected, request, input);

        long start = Stopwatch.GetTimestamp();
        ThresholdTable thresholds = Thresholds(request, input, inspected, cancellation);
        TimeSpan calibration = request.Thresholds is null ? Stopwatch.GetElapsedTime(start) : TimeSpan.Zero;

        start = Stopwatch.GetTimestamp();
        CheckResult? check = null;
        (RewriteReport report, RewrittenFolder.Written written) = Write(
            request, input.Folder, thresholds, library, output, staging => check = Check(request, input, staging, cancellation), cancellation);
        TimeSpan writing = Stopwatch.GetElapsedTime(start) - check!.Time;
        foreach (LeftOut left in written.LeftOut)
        {
            output.Note($"note: {left.Path} was not copied: {left.Reason}");
        }

        if (check.Status != "passed" && request.Check != "off")
        {
            output.Note($"note: the check was not run: {check.Reason}");
        }

        return new RewriteOutcome(
            report,
            Path.GetFullPath(request.Output),
            thresholds.TargetSparsity,
            thresholds.Layers.Select(layer => layer.Sparsity).DefaultIfEmpty().Average(),
            thresholds.Method,
            check,
            library,
            ModelBytes(input),
            written.Files.Where(file => file.Name.Contains(".onnx", StringComparison.Ordinal)).Sum(file => file.Length),
            calibration,
            writing);
    }

    private static void RequireUseful(RewriteReport report, RewriteRequest request, ModelInput input)
    {
        int usable = report.Fusable + report.Fused;
        if (usable == 0)
        {
            string reason = report.Mlps.FirstOrDefault() is { } mlp ? $"{report.Refused} were found and refused; {mlp.Name}: {mlp.Reason}" : "none was found";
            throw new UnsuitableInputException($"{input.Folder.ModelPath} has no gated MLP that can be rewritten: {reason}. `cats inspect` lists them.");
        }

        if (request.RequireAll && report.Refused > 0)
        {
            MlpReport refused = report.Mlps.First(mlp => mlp.Status == MlpStatus.Refused);
            throw new UnsuitableInputException($"{report.Refused} of {report.Mlps.Count} MLPs cannot be rewritten and --require-all was given; {refused.Name}: {refused.Reason}.");
        }
    }

    private static ThresholdTable Thresholds(RewriteRequest request, ModelInput input, RewriteReport inspected, CancellationToken cancellation)
    {
        if (request.Thresholds is not { } path)
        {
            return CalibrateJob.Calibrate(
                input, request.Texts, request.Sparsity ?? CalibrateJob.DefaultSparsity, request.Method, request.MaxTokens, request.Tokenizer, request.Placement, cancellation);
        }

        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"There is no thresholds file '{path}' (--thresholds). `cats calibrate` writes one.", path);
        }

        ThresholdTable table;
        try
        {
            table = ThresholdTable.Load(path);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{error.Message.TrimEnd('.')}. `cats calibrate` writes a thresholds.json.", error);
        }

        try
        {
            table.RequireFits(inspected);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path} does not fit {input.Folder.ModelPath}: {error.Message} `cats calibrate` makes thresholds for it.", error);
        }

        return table;
    }

    /// <summary>Rewrites and writes. Weights are checked for NaN and infinity while they stream; MLPs with one stay dense.</summary>
    private static (RewriteReport Report, RewrittenFolder.Written Written) Write(
        RewriteRequest request,
        ModelFolder folder,
        ThresholdTable thresholds,
        string? library,
        ToolOutput output,
        Action<string> beforeCommit,
        CancellationToken cancellation)
    {
        HashSet<string> nonFinite = new(StringComparer.Ordinal);
        while (true)
        {
            OnnxModel model = OnnxModel.Load(folder.ModelPath);
            RewriteReport report = ModelRewriter.Rewrite(
                model, new RewriteOptions { Thresholds = thresholds, Unfused = request.Unfused, CheckFinite = false, NonFinite = nonFinite });
            RequireUseful(report, request, new ModelInput(folder, model));
            RewrittenFolder target = new()
            {
                Source = folder.Layout == ModelLayout.Bare ? folder.ModelPath : folder.Root,
                Model = model,
                Target = request.Output,
                Overwrite = request.Overwrite,
                Thresholds = System.Text.Encoding.UTF8.GetBytes(thresholds.ToJson()),
                Report = JsonSerializer.SerializeToUtf8Bytes(ReportFile(report, thresholds, request), Indented),
                NativeLibrary = library,
                RequireFinite = ModelRewriter.MovesWeights(model),
            };
            try
            {
                RewrittenFolder.Written written = ProgressBar.Run(
                    "writing",
                    "MB",
                    1e6,
                    progress => target.Write(
                        ProgressForwarding.For(progress),
                        cancellation,
                        staging =>
                        {
                            ProgressBar.Next(progress, "checking against the source");
                            beforeCommit(staging);
                        }));
                ReportDocument.WarnOfRefused(report, output);
                return (report, written);
            }
            catch (NonFiniteTensorException error) when (error.Names.Any(nonFinite.Add))
            {
                output.Warn($"{error.Message} Their MLPs stay dense; writing again.");
            }
        }
    }

    private static CheckResult Check(RewriteRequest request, ModelInput input, string staging, CancellationToken cancellation)
    {
        string graph = Path.GetRelativePath(input.Folder.Layout == ModelLayout.Bare ? input.Folder.ModelDirectory : input.Folder.Root, input.Folder.ModelPath);
        return ResultCheck.Run(request.Check, input, Path.Combine(staging, graph), request.Placement, cancellation);
    }

    private static long ModelBytes(ModelInput input)
    {
        IEnumerable<string> files = input.Graph.Proto.Graph.Initializer
            .Select(tensor => input.Graph.Locate(tensor)?.FilePath)
            .OfType<string>()
            .Append(input.Folder.ModelPath)
            .Distinct();
        return files.Sum(file => new FileInfo(file).Length);
    }

    private static JsonObject ReportFile(RewriteReport report, ThresholdTable thresholds, RewriteRequest request)
    {
        JsonObject document = ReportDocument.Of(report);
        document["notes"] = new JsonArray([.. report.Notes.Select(note => (JsonNode)note)]);
        document["form"] = request.Unfused ? "unfused" : "fused";
        document["model_hash"] = report.ModelHash;
        document["method"] = thresholds.Method;
        document["target_sparsity"] = thresholds.TargetSparsity;
        document["calibrated_sparsity"] = new JsonArray([.. thresholds.Layers.Select(layer => ToolOutput.Number(layer.Sparsity))]);
        document["calibration_text_sha256"] = thresholds.TextSha256;
        document["calibration_tokens"] = thresholds.TextTokens;
        return document;
    }

    private static JsonObject Document(RewriteOutcome outcome)
    {
        JsonObject document = ReportDocument.Of(outcome.Report);
        document["folder"] = outcome.Folder;
        document["changed"] = outcome.Report.Changed;
        document["method"] = outcome.Method;
        document["target_sparsity"] = outcome.TargetSparsity;
        document["calibrated_sparsity"] = ToolOutput.Number(outcome.CalibratedSparsity);
        document["check"] = new JsonObject
        {
            ["status"] = outcome.Check.Status,
            ["reason"] = outcome.Check.Reason,
            ["max_difference"] = ToolOutput.Number(outcome.Check.MaxDifference),
            ["tolerance"] = ToolOutput.Number(outcome.Check.Tolerance),
        };
        document["library"] = outcome.Library is null ? null : Path.GetFileName(outcome.Library);
        document["source_bytes"] = outcome.SourceBytes;
        document["result_bytes"] = outcome.ResultBytes;
        document["calibration_seconds"] = outcome.Calibration.TotalSeconds;
        document["writing_seconds"] = outcome.Writing.TotalSeconds;
        document["check_seconds"] = outcome.Check.Time.TotalSeconds;
        document["notes"] = new JsonArray([.. outcome.Report.Notes.Select(note => (JsonNode)note)]);
        return document;
    }
}
