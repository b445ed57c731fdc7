// SPDX-License-Identifier: MIT
// Runs a rewritten model at threshold scale 0 against its source: the two must say the same.
using System.Diagnostics;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Cli.Jobs;

/// <param name="Status">passed, not run.</param>
/// <param name="Reason">Why it was not run.</param>
/// <param name="MaxDifference">Largest difference of the logits over their largest magnitude.</param>
/// <param name="Tolerance">What was allowed.</param>
/// <param name="Time">How long it took.</param>
internal sealed record CheckResult(string Status, string? Reason, double? MaxDifference, double? Tolerance, TimeSpan Time);

internal static class ResultCheck
{
    private const int Tokens = 16;

    // What a session of a model takes at its peak, by bytes of its weights: packed copies are made beside the mapped
    // file, and 16-bit weights are widened to float32.
    private const double FloatSessionFactor = 2.2;
    private const double HalfSessionFactor = 4.4;
    private const double DeviceFactor = 1.2; // a GPU holds the weights as they are

    /// <summary>Runs both, one after the other.</summary>
    /// <param name="mode">auto, on or off.</param>
    /// <param name="source">The source model.</param>
    /// <param name="result">The rewritten one, not yet in its place.</param>
    /// <param name="placement">Where both run.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="UnsuitableInputException">The two differ, or the check was demanded and cannot be run.</exception>
    public static CheckResult Run(string mode, ModelInput source, string result, Placement placement, CancellationToken cancellation)
    {
        if (mode == "off")
        {
            return NotRun("--check off");
        }

        long needed = MemoryNeeded(source.Graph, placement.Device.IsCpu);
        long free = placement.Device.FreeMemory() ?? FreeMemory.Bytes();
        if (mode == "auto" && needed >= free / 2)
        {
            return NotRun($"a session needs about {Quantity.Bytes(needed)}, more than half of the {Quantity.Bytes(free)} that are free; --check on runs it anyway");
        }

        long start = Stopwatch.GetTimestamp();
        float[] expected;
        double tolerance;
        int[] ids;
        try
        {
            using ModelSession session = ModelSession.Open(source.Folder, Sessions.Options(placement));
            ids = TokenIds(session);
            tolerance = Tolerance(source.Graph, session.Signature.LogitsType);
            float? dense = session.Signature.ThresholdScale is null ? null : 0; // the source may be a rewritten model
            expected = [.. session.RunWindow(ids, dense, cancellation).Logits];
        }
        catch (Exception error) when (error is InvalidDataException or Microsoft.ML.OnnxRuntime.OnnxRuntimeException)
        {
            return mode == "auto"
                ? NotRun($"the source model does not run here: {error.Message}")
                : throw new UnsuitableInputException($"--check on: the source model does not run here: {error.Message}");
        }

        using ModelSession rewritten = ModelSession.Open(ModelFolder.Open(result), Sessions.Options(placement));
        double difference = Difference(expected, rewritten.RunWindow(ids, 0, cancellation).Logits);
        return difference <= tolerance
            ? new CheckResult("passed", null, difference, tolerance, Stopwatch.GetElapsedTime(start))
            : throw new UnsuitableInputException(ToolOutput.Format(
                $"the rewritten model does not say what {source.Folder.ModelPath} says at threshold scale 0: its logits differ by {difference:0.0e+0} of their largest, {tolerance:0.0e+0} are allowed. Nothing was written; please report this model."));
    }

    /// <summary>Bytes that a session of the model takes at its peak, roughly.</summary>
    public static long MemoryNeeded(OnnxModel graph, bool onCpu)
    {
        double bytes = 0;
        foreach (TensorProto tensor in graph.Proto.Graph.Initializer)
        {
            bool half = tensor.DataType is (int)TensorProto.Types.DataType.Float16 or (int)TensorProto.Types.DataType.Bfloat16;
            bytes += graph.ByteLength(tensor) * (!onCpu ? DeviceFactor : half ? HalfSessionFactor : FloatSessionFactor);
        }

        return (long)bytes;
    }

    private static CheckResult NotRun(string reason) => new("not run", reason, null, null, TimeSpan.Zero);

    // The tolerance table's whole-graph row holds for a few layers; deep graphs add up rounding, hence the slack.
    private static double Tolerance(OnnxModel graph, TensorElementType logits)
    {
        bool has(TensorProto.Types.DataType type) => graph.Proto.Graph.Initializer.Any(tensor => tensor.DataType == (int)type && tensor.Dims.Count > 1);
        return has(TensorProto.Types.DataType.Bfloat16) || logits == TensorElementType.BFloat16 ? .16
            : has(TensorProto.Types.DataType.Float16) || logits == TensorElementType.Float16 ? 2e-2
            : 1e-4;
    }

    // Ids spread over the vocabulary, the same on every run.
    private static int[] TokenIds(ModelSession session)
    {
        int count = session.Signature.FixedSequence ?? Tokens;
        return [.. Enumerable.Range(1, count).Select(i => (int)(i * 2654435761L % session.Signature.VocabSize))];
    }

    private static double Difference(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        if (expected.Length != actual.Length)
        {
            return double.PositiveInfinity;
        }

        double largest = 0;
        double difference = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(expected[i]));
            double here = Math.Abs((double)expected[i] - actual[i]);
            difference = double.IsNaN(here) && float.IsNaN(expected[i]) == float.IsNaN(actual[i]) ? difference : Math.Max(difference, here);
        }

        return largest > 0 ? difference / largest : difference;
    }
}
