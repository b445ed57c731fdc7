// SPDX-License-Identifier: MIT
// The README's first command: rewrites the demo model, runs both, and shows the speed-up where there is one to see.
using System.Diagnostics;
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Evaluation;
using CatsOnnx.Evaluation.Speed;
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter.Synthesis;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Cli.Jobs;

internal static class DemoJob
{
    private const string Prompt = "The old man sat by the fire and";
    private const int NewTokens = 64;
    private const double Sparsity = .5;
    private const int HiddenSize = 4096; // Llama-2-7B's MLP
    private const int IntermediateSize = 11008;
    private const int TimedPairs = 40;
    private const int TimedLayers = 4;

    public static int Run(Placement placement, ToolOutput output, CancellationToken cancellation)
    {
        string model = Path.Combine(AppContext.BaseDirectory, "models", "demo");
        if (!Directory.Exists(model))
        {
            throw new DirectoryNotFoundException($"The demo model is not in {model}; build or install the tool again.");
        }

        long start = Stopwatch.GetTimestamp();
        using WorkFolder folder = new("cats-demo-");
        string work = folder.Path;
        JsonObject document = [];
        string sparse = Path.Combine(work, "demo-cats");
        Rewrite(model, sparse, placement, output, document, cancellation);
        Compare(ModelInput.Open(model), ModelInput.Open(sparse), Path.Combine(model, "eval.txt"), placement, output, document, cancellation);
        if (placement.Device.IsCpu)
        {
            TimeMlp(work, output, document, cancellation);
        }
        else
        {
            TimeLayers(work, placement, output, document, cancellation);
        }

        Explain(ModelInput.Open(model), output);
        document["seconds"] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        output.Result(document);
        return ExitCode.Done;
    }

    private static void Rewrite(string model, string sparse, Placement placement, ToolOutput output, JsonObject document, CancellationToken cancellation)
    {
        output.Line("1. cats rewrite models/demo -o demo-cats --text calibrate.txt --sparsity 0.5");
        RewriteOutcome outcome = RewriteJob.Execute(
            new RewriteRequest { Model = model, Output = sparse, Texts = [Path.Combine(model, "calibrate.txt")], Sparsity = Sparsity, Placement = placement },
            output,
            cancellation);
        output.Line($"   {outcome.Report.Fused} of {outcome.Report.Mlps.Count} MLPs made sparse; calibration {Quantity.Seconds(outcome.Calibration)}, writing {Quantity.Seconds(outcome.Writing)}");
        output.Line($"   threshold scale 0 against the source: {outcome.Check.Status}{(outcome.Check.MaxDifference is { } difference ? ToolOutput.Format($", largest difference of a logit {difference:0.0e+0} of the largest logit") : "")}");
        output.Line();
        document["fused"] = outcome.Report.Fused;
        document["check"] = outcome.Check.Status;
    }

    private static void Compare(
        ModelInput dense, ModelInput sparse, string text, Placement placement, ToolOutput output, JsonObject document, CancellationToken cancellation)
    {
        TextTokenizer tokenizer = dense.Folder.LoadTokenizer();
        GenerateRequest request = new() { Model = "", Prompt = Prompt, Generation = new GenerationOptions { MaxNewTokens = NewTokens }, Placement = placement };
        GenerationResult denseText = GenerateJob.Generate(dense, tokenizer, request, _ => { }, cancellation);
        GenerationResult sparseText = GenerateJob.Generate(sparse, tokenizer, request, _ => { }, cancellation);
        output.Line($"2. {NewTokens} tokens, greedy, from the same prompt");
        output.Line("   dense:  " + Indented(Prompt + denseText.Text));
        output.Line("   sparse: " + Indented(Prompt + sparseText.Text));
        output.Line();

        EvalRequest eval = new() { Model = "", Texts = [text], Placement = placement };
        EvaluationResult denseFigures = EvalJob.Evaluate(dense, null, eval, cancellation);
        EvaluationResult sparseFigures = EvalJob.Evaluate(sparse, null, eval, cancellation);
        output.Line($"3. {denseFigures.Tokens} tokens of held-out text   dense      sparse");
        output.Line($"   perplexity                    {denseFigures.Perplexity,8:0.00}    {sparseFigures.Perplexity,8:0.00}  ({(sparseFigures.Perplexity / denseFigures.Perplexity) - 1:+0.0%;-0.0%})");
        output.Line($"   next token right              {denseFigures.NextTokenAccuracy,8:0.0%}    {sparseFigures.NextTokenAccuracy,8:0.0%}");
        output.Line($"   neurons skipped               {0,8:0.0%}    {sparseFigures.Sparsity,8:0.0%}");
        output.Line($"   tokens per second             {denseText.Statistics.TokensPerSecond,8:0}    {sparseText.Statistics.TokensPerSecond,8:0}");
        output.Line();
        document["dense"] = Figures(denseText, denseFigures);
        document["sparse"] = Figures(sparseText, sparseFigures);
    }

    private static void TimeMlp(string work, ToolOutput output, JsonObject document, CancellationToken cancellation)
    {
        long bytes = 3L * HiddenSize * IntermediateSize * sizeof(float);
        output.Line($"4. One MLP of Llama-2-7B's shape ({HiddenSize} x {IntermediateSize}, float32, random weights, {Quantity.Bytes(bytes)}), one token");
        string folder = Directory.CreateDirectory(Path.Combine(work, "mlp")).FullName;
        DriveInfo disk = new(work);
        if (disk.AvailableFreeSpace < 3 * bytes || FreeMemory.Bytes() < 5 * bytes)
        {
            output.Line($"   not timed: it takes {Quantity.Bytes(2 * bytes)} on disk and {Quantity.Bytes(4 * bytes)} of memory; {Quantity.Bytes(disk.AvailableFreeSpace)} and {Quantity.Bytes(FreeMemory.Bytes())} are free");
            document["mlp"] = null;
            return;
        }

        using MlpComparison comparison = ProgressBar.Wait("making the MLP", () => MlpComparison.Create(folder, HiddenSize, IntermediateSize, Sparsity, cancellation: cancellation));
        PairedTiming timing = ProgressBar.Wait("timing", () => comparison.Measure(rows: 1, TimedPairs, cancellation));
        output.Line($"   dense, ONNX Runtime's own nodes   {timing.BaselineMilliseconds,6:0.0} ms");
        output.Line($"   sparse, {Sparsity:0%} of neurons skipped   {timing.CandidateMilliseconds,6:0.0} ms   x{timing.Ratio:0.00} ({timing.LowerRatio:0.00} to {timing.UpperRatio:0.00} in {timing.Pairs} pairs run in turns)");
        output.Line();
        document["mlp"] = new JsonObject
        {
            ["hidden_size"] = HiddenSize,
            ["intermediate_size"] = IntermediateSize,
            ["sparsity"] = Sparsity,
            ["dense_ms"] = timing.BaselineMilliseconds,
            ["sparse_ms"] = timing.CandidateMilliseconds,
            ["speedup"] = timing.Ratio,
        };
    }

    // On a GPU a model of a few layers, so that decoding is what it is there: a CUDA graph.
    private static void TimeLayers(string work, Placement placement, ToolOutput output, JsonObject document, CancellationToken cancellation)
    {
        DecoderShape shape = DecoderShape.Named("llama2-7b") with { Name = $"llama2-7b with {TimedLayers} layers", Layers = TimedLayers };
        output.Line($"4. {TimedLayers} layers of Llama-2-7B's shape (float16, random weights), one token after another");
        BenchRow row = BenchJob.Execute(
            new BenchRequest { Shape = shape, Dtype = DecoderDtype.Fp16, Sparsities = [Sparsity], Rows = [1], Context = 128, Steps = TimedPairs, Work = work, Placement = placement },
            _ => { },
            cancellation).Rows[0];
        output.Line($"   a token: dense {row.Token.BaselineMilliseconds,7:0.000} ms, sparse {row.Token.CandidateMilliseconds,7:0.000} ms   x{row.Token.Ratio:0.00} ({row.Token.LowerRatio:0.00} to {row.Token.UpperRatio:0.00} in {row.Token.Pairs} pairs run in turns)");
        output.Line($"   an MLP:  dense {row.DenseMlp,7:0.0} us, sparse {row.SparseMlp,7:0.0} us   x{row.DenseMlp / row.SparseMlp:0.00}{(row.ReadCeiling is null ? "" : $", {row.SparseRate / row.ReadCeiling:0%} of the speed at which this GPU reads")}");
        output.Line();
        document["layers"] = row.Json();
    }

    private static void Explain(ModelInput model, ToolOutput output)
    {
        long bytes = model.Graph.Proto.Graph.Initializer.Sum(model.Graph.ByteLength);
        string cache = ProcessorCache.Bytes() is { } size ? $"this processor's cache of {Quantity.Bytes(size)}" : "a processor's cache";
        output.Line($"The demo model gains no speed: CATS saves reading weights from memory, and its {Quantity.Bytes(bytes)} of weights lie in {cache}.");
        output.Line("Models of a billion parameters and more do not fit; each of their tokens reads every weight, as the MLP above does.");
    }

    private static string Indented(string text) => text.ReplaceLineEndings("\n           ");

    private static JsonObject Figures(GenerationResult text, EvaluationResult figures) => new()
    {
        ["text"] = Prompt + text.Text,
        ["tokens_per_second"] = text.Statistics.TokensPerSecond,
        ["tokens"] = figures.Tokens,
        ["perplexity"] = ToolOutput.Number(figures.Perplexity),
        ["next_token_accuracy"] = ToolOutput.Number(figures.NextTokenAccuracy),
        ["sparsity"] = ToolOutput.Number(figures.Sparsity),
    };
}
