// SPDX-License-Identifier: MIT
// Runs a text through a model and makes thresholds of what its gates did; or writes, or merges, shards of that.
using System.Diagnostics;
using System.Text.Json.Nodes;
using CatsOnnx.Calibration;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Text;

namespace CatsOnnx.Cli.Jobs;

internal sealed record CalibrateRequest
{
    public string? Model { get; init; }

    public IReadOnlyList<string> Texts { get; init; } = [];

    public double? Sparsity { get; init; }

    public string? Method { get; init; }

    public int? MaxTokens { get; init; }

    public (int Part, int Parts)? Shard { get; init; }

    public IReadOnlyList<string> Merge { get; init; } = [];

    public string? Tokenizer { get; init; }

    public Placement Placement { get; init; } = Placement.Cpu;

    public required string Output { get; init; }
}

internal static class CalibrateJob
{
    public const double DefaultSparsity = .5;
    private const string DefaultMethod = "layer";

    public static int Run(CalibrateRequest request, ToolOutput output, CancellationToken cancellation)
    {
        RequireWritable(request);
        long start = Stopwatch.GetTimestamp();
        GateObservations observations = request.Merge.Count > 0
            ? Merge(request, output)
            : Observe(
                ModelInput.Open(request.Model!),
                request.Texts,
                request.Sparsity ?? DefaultSparsity,
                request.Method,
                request.MaxTokens,
                request.Tokenizer,
                request.Shard ?? (1, 1),
                request.Placement,
                cancellation);
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        if (request.Shard is { } shard)
        {
            ShardFile.Save(observations, request.Output);
            output.Line($"{request.Output}: shard {shard.Part}/{shard.Parts}, {observations.Layers.Count} layers, {observations.Layers[0].Tokens} of {observations.TextTokens} tokens in {Quantity.Seconds(time)}");
            output.Note($"next: cats calibrate --merge FILE... -o thresholds.json, with all {shard.Parts} shards");
            output.Result(new JsonObject
            {
                ["file"] = Path.GetFullPath(request.Output),
                ["shard"] = shard.Part,
                ["shards"] = shard.Parts,
                ["layers"] = observations.Layers.Count,
                ["tokens"] = observations.Layers[0].Tokens,
                ["seconds"] = time.TotalSeconds,
            });
            return ExitCode.Done;
        }

        ThresholdTable thresholds = observations.ToThresholds(request.Merge.Count > 0 ? request.Sparsity : null);
        Save(thresholds, request.Output);
        double achieved = thresholds.Layers.Average(layer => layer.Sparsity);
        output.Line($"{request.Output}: {thresholds.Layers.Count} layers by {thresholds.Method}, target {thresholds.TargetSparsity:0.0%}, {achieved:0.0%} on {thresholds.TextTokens} tokens, {Quantity.Seconds(time)}");
        output.Note($"next: cats rewrite {request.Model ?? "MODEL"} -o FOLDER --thresholds {request.Output}");
        output.Result(new JsonObject
        {
            ["file"] = Path.GetFullPath(request.Output),
            ["method"] = thresholds.Method,
            ["target_sparsity"] = thresholds.TargetSparsity,
            ["sparsity"] = ToolOutput.Number(achieved),
            ["sparsity_per_layer"] = new JsonArray([.. thresholds.Layers.Select(layer => ToolOutput.Number(layer.Sparsity))]),
            ["layers"] = thresholds.Layers.Count,
            ["tokens"] = thresholds.TextTokens,
            ["seconds"] = time.TotalSeconds,
        });
        return ExitCode.Done;
    }

    /// <summary>Thresholds of a model on texts, with a progress bar.</summary>
    public static ThresholdTable Calibrate(
        ModelInput input, IReadOnlyList<string> texts, double sparsity, string? method, int? maxTokens, string? tokenizer, Placement placement, CancellationToken cancellation) =>
        Observe(input, texts, sparsity, method, maxTokens, tokenizer, (1, 1), placement, cancellation).ToThresholds();

    private static GateObservations Observe(
        ModelInput input,
        IReadOnlyList<string> texts,
        double sparsity,
        string? method,
        int? maxTokens,
        string? tokenizer,
        (int Part, int Parts) shard,
        Placement placement,
        CancellationToken cancellation)
    {
        TextWindows windows = TextInput.Read(input.Folder, texts, tokenizer, maxTokens);
        return ProgressBar.Run("calibrating", "tokens", 1, progress => CalibrationRun.Run(
            input.Folder,
            windows,
            new CalibrationOptions
            {
                Sparsity = sparsity,
                Method = method ?? DefaultMethod,
                Shard = shard.Part,
                Shards = shard.Parts,
                Progress = ProgressForwarding.ForTokens(progress),
                Session = Sessions.Options(placement),
            },
            cancellation));
    }

    private static GateObservations Merge(CalibrateRequest request, ToolOutput output)
    {
        GateObservations merged = GateObservations.Merge([.. request.Merge.Select(Load)]);
        if (request.Method is { } method && method != merged.Method)
        {
            throw new UnsuitableInputException($"--method is {method}; the shards were made with {merged.Method}.");
        }

        if (!merged.IsComplete)
        {
            IEnumerable<int> missing = Enumerable.Range(1, merged.Shards).Except(merged.Parts);
            throw new UnsuitableInputException($"The shards {string.Join(", ", missing)} of {merged.Shards} are missing; thresholds need them all.");
        }

        output.Note($"merged {merged.Parts.Count} shards");
        return merged;
    }

    private static GateObservations Load(string path) =>
        File.Exists(path) ? ReadShard(path) : throw new FileNotFoundException($"There is no shard file '{path}'. `cats calibrate --shard i/n` writes one.", path);

    private static GateObservations ReadShard(string path)
    {
        try
        {
            return ShardFile.Load(path);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{error.Message.TrimEnd('.')}. `cats calibrate --shard i/n` writes shards.", error);
        }
    }

    // Found before the work, not after it.
    private static void RequireWritable(CalibrateRequest request)
    {
        string full = Path.GetFullPath(request.Output);
        if (Directory.Exists(full))
        {
            throw new UnsuitableInputException($"The output '{request.Output}' is a folder; give a file.");
        }

        if (!Directory.Exists(Path.GetDirectoryName(full)))
        {
            throw new DirectoryNotFoundException($"There is no folder '{Path.GetDirectoryName(full)}' for the output; make it, or give another file.");
        }

        if (request.Texts.Concat(request.Merge).FirstOrDefault(input => Path.GetFullPath(input) == full) is { } input)
        {
            throw new UsageException($"The output '{request.Output}' is an input too; give another file.");
        }
    }

    private static void Save(ThresholdTable thresholds, string path)
    {
        string sibling = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            thresholds.Save(sibling);
            File.Move(sibling, path, overwrite: true);
        }
        finally
        {
            File.Delete(sibling);
        }
    }
}
