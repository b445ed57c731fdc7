// SPDX-License-Identifier: MIT
// A whole model with random weights: decoding with the dense graph and with the sparse one, token by token in turns.
using System.Globalization;
using CatsOnnx.Evaluation.Speed;
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Benchmarks;

internal static class ModelBenchmark
{
    private const int TokensAtScaleZero = 24;

    public static void Run(string work, string shape, double sparsity, int promptTokens, int tokens, int threads, ResultTable table)
    {
        (string source, string rewritten) = SparseModel.Make(work, shape, sparsity);

        // The threads of the model that does not run would spin on the other's processors: both stop at once.
        ModelSessionOptions options = new() { Threads = threads, Configure = made => made.AddSessionConfigEntry("session.force_spinning_stop", "1") };
        using ModelSession dense = ModelSession.Open(ModelFolder.Open(source), options);
        using ModelSession sparse = ModelSession.OpenCounting(ModelFolder.Open(rewritten), out IReadOnlyList<ActiveCount> counts, options);

        // The models are made without a tokenizer; tokens are compared by id, any tokenizer serves to make a generator.
        TextTokenizer tokenizer = TokenizerLoader.Load(Path.Combine(Path.GetDirectoryName(SparseModel.ToolPath)!, "models", "demo"));
        using TokenGenerator first = new(dense, tokenizer);
        using TokenGenerator second = new(sparse, tokenizer, TokenGeneratorOptions.Counting(counts));
        Random random = new(2);
        int[] prompt = [.. Enumerable.Range(0, promptTokens).Select(_ => random.Next(dense.Signature.VocabSize))];

        GenerationOptions free = new() { MaxNewTokens = TokensAtScaleZero, StopTokens = [] };
        IReadOnlyList<int> denseIds = first.Generate(prompt, free).Ids;
        IReadOnlyList<int> zeroIds = second.Generate(prompt, free with { ThresholdScale = 0 }).Ids;
        int equal = denseIds.Zip(zeroIds).TakeWhile(pair => pair.First == pair.Second).Count();
        table.Note($"At threshold scale 0 {equal} of {denseIds.Count} greedy tokens equal the dense model's.");

        GenerationOptions timed = new() { MaxNewTokens = tokens, StopTokens = [] };
        ((double[] denseTimes, _), (double[] sparseTimes, _)) = TurnTaking.Generate(first, second, prompt, timed);
        GenerationResult measured = second.Generate(prompt, timed);
        PairedTiming timing = PairedTiming.Of(denseTimes, sparseTimes);
        table.Add(
            Text(sparsity, "0%"),
            Text(measured.Statistics.Sparsity ?? double.NaN, "0.0%"),
            Text(timing.BaselineMilliseconds, "0.0"),
            Text(timing.CandidateMilliseconds, "0.0"),
            Text(timing.Ratio, "0.00"),
            $"{Text(timing.LowerRatio, "0.00")} to {Text(timing.UpperRatio, "0.00")}",
            timing.Pairs);
        table.Note($"Prompt of {promptTokens} random tokens; both models are loaded and decode in turns, one token each; ratio is the median of the pairs' ratios. The sparse model also counts its active neurons.");

        static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
    }
}
