// SPDX-License-Identifier: MIT
// What the host costs for each decoded token beyond ONNX Runtime's own Run: time and allocated bytes.
using System.Globalization;
using CatsOnnx.Evaluation.Speed;
using CatsOnnx.Generation;

namespace CatsOnnx.Benchmarks;

internal static class OverheadBenchmark
{
    private const int Warmup = 2; // requests

    /// <summary>Adds a line for a model.</summary>
    /// <param name="model">A model folder with a tokenizer.</param>
    /// <param name="name">What the table calls it.</param>
    /// <param name="tokens">Tokens of a request.</param>
    /// <param name="requests">Requests to time.</param>
    /// <param name="sampling">Whether tokens are drawn (temperature, top-k, top-p) instead of the most likely taken.</param>
    /// <param name="table">Gets the line.</param>
    public static void Run(string model, string name, int tokens, int requests, bool sampling, ResultTable table)
    {
        using TokenGenerator generator = TokenGenerator.Open(model);
        GenerationOptions options = new()
        {
            MaxNewTokens = tokens,
            StopTokens = [],
            Sampling = sampling ? new() { Temperature = .8f, TopK = 40, TopP = .95f, Seed = 1 } : null,
        };
        List<double> run = [];
        List<double> rest = [];
        List<double> bytes = [];
        for (int request = -Warmup; request < requests; request++)
        {
            long first = 0;
            long last = 0;
            int given = 0;

            // The callback is on the generator's thread, between one token and the next.
            GenerationResult result = generator.Generate("Once upon a time", options, token =>
            {
                last = GC.GetAllocatedBytesForCurrentThread();
                first = given++ == 0 ? last : first;
            });
            GenerationStatistics statistics = result.Statistics;
            int decoded = statistics.NewTokens - 1;
            if (request >= 0)
            {
                double inRun = statistics.DecodeRun!.Value.TotalMicroseconds / decoded;
                run.Add(inRun);
                rest.Add((statistics.Decode.TotalMicroseconds / decoded) - inRun);
                bytes.Add((last - first) / (double)(given - 1));
            }
        }

        table.Add(name, sampling ? "drawn" : "greedy", Text(PairedTiming.Quantile(run, .5), "0"), Text(PairedTiming.Quantile(rest, .5), "0.0"), Text(PairedTiming.Quantile(bytes, .5), "0"), tokens, requests);

        static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
    }
}
