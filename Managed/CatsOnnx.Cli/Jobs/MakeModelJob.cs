// SPDX-License-Identifier: MIT
// Writes a model with random weights into a folder that is absent or whole.
using System.Diagnostics;
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Output;
using CatsOnnx.GraphRewriter.Synthesis;

namespace CatsOnnx.Cli.Jobs;

internal static class MakeModelJob
{
    public static int Run(
        DecoderShape shape, DecoderDtype dtype, ulong seed, string folder, bool overwrite, ToolOutput output, CancellationToken cancellation)
    {
        OutputFolder.RequireFree(folder, overwrite);
        long start = Stopwatch.GetTimestamp();
        using FolderTransaction transaction = FolderTransaction.Begin(folder, overwrite);
        IReadOnlyList<SavedFile> files = ProgressBar.Run($"making {shape.Name}", "MB", 1e6, progress =>
            DecoderModel.Write(shape, dtype, seed, transaction.StagingFolder, ProgressForwarding.For(progress), cancellation));
        transaction.Commit();
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        long bytes = files.Sum(file => file.Length);
        output.Line($"{folder}: {shape.Name}, {dtype.ToString().ToLowerInvariant()}, seed {seed}: {shape.Layers} layers, hidden {shape.HiddenSize}, intermediate {shape.IntermediateSize}; {Quantity.Bytes(bytes)} in {Quantity.Seconds(time)}");
        output.Result(new JsonObject
        {
            ["folder"] = Path.GetFullPath(folder),
            ["shape"] = shape.Name,
            ["dtype"] = dtype.ToString().ToLowerInvariant(),
            ["seed"] = seed,
            ["hidden_size"] = shape.HiddenSize,
            ["intermediate_size"] = shape.IntermediateSize,
            ["num_hidden_layers"] = shape.Layers,
            ["bytes"] = bytes,
            ["seconds"] = time.TotalSeconds,
        });
        return ExitCode.Done;
    }
}
