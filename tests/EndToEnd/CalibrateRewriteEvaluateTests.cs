// SPDX-License-Identifier: MIT
// The whole road on trained models: text to thresholds, thresholds into the graph, the graph against PyTorch's numbers.
using System.Globalization;
using System.Text.Json;
using CatsOnnx.Calibration;
using CatsOnnx.Evaluation;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Text;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CalibrateRewriteEvaluateTests(ITestOutputHelper output) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cats-quality-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("layer", "cats")]
    [InlineData("neuron", "per_neuron")]
    public void Llama_3m_in_full_has_the_quality_of_the_reference(string method, string entry)
    {
        ModelFolder dense = Needed(TrainedModels.Find("llama-3m/optimum-fp32"));
        TextWindows calibration = TrainedModels.Windows(dense, "calibrate_fiction.txt", 24576);
        GateObservations observed = CalibrationRun.Run(dense, calibration, new CalibrationOptions { Method = method }, Token);
        double[] levels = [0.5, 0.7, 0.9];
        List<ModelFolder> models = [dense];
        foreach (double level in levels)
        {
            ThresholdTable thresholds = observed.ToThresholds(level);
            Assert.All(thresholds.Layers, layer => Assert.Equal(level, layer.Sparsity, 1e-5));
            Assert.All(thresholds.Layers, layer => Assert.Equal(24576L * 512, layer.Samples));
            models.Add(TrainedModels.Rewrite(dense, thresholds, Path.Combine(_folder.FullName, Written(level))));
        }

        TextWindows eval = TrainedModels.Windows(dense, "eval_fiction.txt");
        IReadOnlyList<EvaluationResult> results = EvaluationRun.RunAll(models, eval, new EvaluationOptions { Against = dense }, Token);
        Near("dense", results[0], TrainedModels.Reference("llama-3m", "dense"), 0.001, 0);
        Assert.Null(results[0].Sparsity);
        Assert.Equal(1, results[0].Top1Agreement);
        for (int i = 0; i < levels.Length; i++)
        {
            JsonElement reference = TrainedModels.Reference("llama-3m", $"{entry}_{Written(levels[i])}");
            Near($"{method} {levels[i]}", results[i + 1], reference, levels[i] < 0.9 ? 0.005 : 0.01, levels[i] < 0.9 ? 0.005 : 0.01);
            Assert.Equal(reference.GetProperty("kl").GetDouble(), results[i + 1].Kl!.Value, 0.01 * reference.GetProperty("kl").GetDouble());
            Assert.Equal(6, results[i + 1].SparsityPerLayer.Count);
        }
    }

    [Fact]
    public void Thresholds_by_layer_are_those_of_the_reference()
    {
        ModelFolder dense = Needed(TrainedModels.Find("llama-3m/optimum-fp32"));
        TextWindows calibration = TrainedModels.Windows(dense, "calibrate_fiction.txt", 24576);
        GateObservations observed = CalibrationRun.Run(dense, calibration, cancellationToken: Token);
        foreach (double level in new[] { 0.5, 0.7, 0.9 })
        {
            double[] reference = [.. TrainedModels.Reference("llama-3m", $"cats_{Written(level)}").GetProperty("thresholds").EnumerateArray().Select(value => value.GetDouble())];
            double[] ours = [.. observed.ToThresholds(level).Layers.Select(layer => (double)Assert.Single(layer.Thresholds))];
            output.WriteLine(string.Join(' ', ours.Zip(reference, (own, theirs) => (own / theirs - 1).ToString("E1", CultureInfo.InvariantCulture))));
            Assert.All(ours.Zip(reference), pair => Assert.Equal(pair.Second, pair.First, 1e-3 * pair.Second));
        }
    }

    [Theory]
    [InlineData("layer")]
    [InlineData("neuron")]
    public void Merged_shards_give_exactly_the_thresholds_of_one_run(string method)
    {
        ModelFolder dense = Needed(TrainedModels.Find("llama-3m/optimum-fp32"));
        TextWindows windows = TrainedModels.Windows(dense, "calibrate_fiction.txt", 7 * 512);
        CalibrationOptions options = new() { Method = method, Sparsity = 0.7 };
        string whole = CalibrationRun.Run(dense, windows, options, Token).ToThresholds().ToJson();
        List<GateObservations> shards = [];
        foreach (int shard in new[] { 2, 3, 1 })
        {
            string path = Path.Combine(_folder.FullName, $"{shard}.json");
            GateObservations part = CalibrationRun.Run(dense, windows, options with { Shard = shard, Shards = 3 }, Token);
            Assert.Contains("1/3", shard == 1 ? "1/3" : Assert.Throws<InvalidDataException>(() => part.ToThresholds()).Message);
            ShardFile.Save(part, path);
            shards.Add(ShardFile.Load(path));
        }

        Assert.Equal(whole, GateObservations.Merge(shards).ToThresholds().ToJson());
    }

    [Theory]
    [InlineData("llama-3m/genai-fp32-cpu", 1e-3)]
    [InlineData("llama-3m/genai-fp16-cuda", 1e-2)]
    [InlineData("llama-3m/optimum-fp32/model.onnx", 0)]
    public void Every_export_of_a_model_gets_the_same_thresholds(string export, double tolerance)
    {
        ModelFolder first = Needed(TrainedModels.Find("llama-3m/optimum-fp32"));
        ModelFolder other = Needed(TrainedModels.Find(export));
        TextWindows windows = TrainedModels.Windows(first, "calibrate_fiction.txt", 4 * 512);
        CalibrationOptions options = new() { Method = "neuron" };
        ThresholdTable expected = CalibrationRun.Run(first, windows, options, Token).ToThresholds();
        ThresholdTable found = CalibrationRun.Run(other, windows, options, Token).ToThresholds();
        Assert.All(expected.Layers.Zip(found.Layers), pair => Assert.All(
            pair.First.Thresholds.Zip(pair.Second.Thresholds), values => Assert.Equal(values.First, values.Second, tolerance * values.First)));
    }

    [Fact]
    public void A_rewritten_model_calibrates_as_its_source()
    {
        ModelFolder dense = Needed(TrainedModels.Find("llama-3m/genai-fp16-cuda"));
        TextWindows windows = TrainedModels.Windows(dense, "calibrate_fiction.txt", 1024);
        ThresholdTable thresholds = CalibrationRun.Run(dense, windows, cancellationToken: Token).ToThresholds();
        ModelFolder rewritten = TrainedModels.Rewrite(dense, thresholds, Path.Combine(_folder.FullName, "rewritten"));
        Assert.Equal(thresholds.ToJson(), CalibrationRun.Run(rewritten, windows, cancellationToken: Token).ToThresholds().ToJson());
    }

    [Fact]
    public void Both_forms_count_the_same_sparsity_and_scale_0_is_dense()
    {
        ModelFolder dense = Needed(TrainedModels.Find("llama-3m/optimum-fp32"));
        TextWindows windows = TrainedModels.Windows(dense, "calibrate_fiction.txt", 2048);
        ThresholdTable thresholds = CalibrationRun.Run(dense, windows, new CalibrationOptions { Sparsity = 0.7 }, Token).ToThresholds();
        ModelFolder fused = TrainedModels.Rewrite(dense, thresholds, Path.Combine(_folder.FullName, "fused"));
        ModelFolder unfused = TrainedModels.Rewrite(dense, thresholds, Path.Combine(_folder.FullName, "unfused"), unfused: true);
        EvaluationOptions options = new() { Against = dense };
        IReadOnlyList<EvaluationResult> both = EvaluationRun.RunAll([fused, unfused], windows, options, Token);
        Assert.Equal(both[0].Perplexity!.Value, both[1].Perplexity!.Value, 1e-3);
        Assert.Equal(both[0].Sparsity!.Value, both[1].Sparsity!.Value, 1e-4);
        Assert.Equal(0.7, both[0].SparsityPerLayer[0], 1e-3); // the first layer sees what calibration saw
        IReadOnlyList<EvaluationResult> scaled = EvaluationRun.RunAll([fused, unfused], windows, options with { ThresholdScale = 0 }, Token);
        Assert.All(scaled, result =>
        {
            Assert.Equal(0, result.Sparsity);
            Assert.Equal(0, result.Kl!.Value, 1e-8);
            Assert.True(result.Top1Agreement > 0.999);
        });
        double halved = EvaluationRun.Run(fused, windows, options with { ThresholdScale = 0.5f }, Token).Sparsity!.Value;
        Assert.InRange(halved, 0.3, both[0].Sparsity!.Value - 0.05);
    }

    [Fact]
    public void A_scale_for_a_dense_model_and_a_wrong_tokenizer_are_refused()
    {
        ModelFolder dense = Needed(TrainedModels.Find("llama-3m/optimum-fp32"));
        TextWindows windows = TextWindows.FromIds(new int[513]);
        Assert.Contains("0.5", Assert.Throws<InvalidOperationException>(
            () => EvaluationRun.Run(dense, windows, new EvaluationOptions { ThresholdScale = 0.5f }, Token)).Message);
        int[] ids = new int[513];
        ids[7] = 4096;
        Assert.Contains("4096", Assert.ThrowsAny<Exception>(() => EvaluationRun.Run(dense, TextWindows.FromIds(ids), null, Token)).Message);
    }

    [Fact]
    public void Runs_can_be_watched_and_ended()
    {
        ModelFolder dense = Needed(TrainedModels.Find("llama-3m/optimum-fp32"));
        TextWindows windows = TrainedModels.Windows(dense, "calibrate_fiction.txt", 24 * 512);
        using CancellationTokenSource source = new();
        Watcher watcher = new(source);
        Assert.Throws<OperationCanceledException>(() => CalibrationRun.Run(dense, windows, new CalibrationOptions { Progress = watcher }, source.Token));
        TokenProgress seen = Assert.Single(watcher.Seen);
        Assert.InRange(seen.Done, 512, 23 * 512);
        Assert.Equal(24 * 512, seen.Total);
        Assert.True(seen.TokensPerSecond > 0);
        using CancellationTokenSource ended = new();
        ended.Cancel();
        Assert.Throws<OperationCanceledException>(() => EvaluationRun.Run(dense, windows, null, ended.Token));
    }

    private ModelFolder Needed(ModelFolder? folder)
    {
        Assert.SkipWhen(folder is null, "../shared/models is absent");
        Assert.SkipWhen(SharedFiles.Find("models", "text", "eval_fiction.txt") is null, "../shared/models/text is absent");
        return folder;
    }

    private void Near(string what, EvaluationResult ours, JsonElement reference, double perplexity, double sparsity)
    {
        double expected = reference.GetProperty("perplexity").GetDouble();
        output.WriteLine($"{what}: perplexity {ours.Perplexity:F4} of {expected:F4}, next token {ours.NextTokenAccuracy:F4}, choice {ours.ChoiceAccuracy:F4}, sparsity {ours.Sparsity:F4}, KL {ours.Kl:F5}");
        Assert.Equal(expected, ours.Perplexity!.Value, perplexity * expected);
        Assert.Equal(reference.GetProperty("next_token_accuracy").GetDouble(), ours.NextTokenAccuracy!.Value, 0.005);
        Assert.Equal(reference.GetProperty("choice_accuracy").GetDouble(), ours.ChoiceAccuracy!.Value, 0.015);
        Assert.Equal(reference.GetProperty("choice_items").GetInt32(), ours.ChoiceItems);
        if (reference.TryGetProperty("sparsity", out JsonElement share))
        {
            Assert.Equal(share.GetDouble(), ours.Sparsity!.Value, sparsity);
        }
    }

    private static string Written(double level) => level.ToString(CultureInfo.InvariantCulture);

    private sealed class Watcher(CancellationTokenSource source) : IProgress<TokenProgress>
    {
        public List<TokenProgress> Seen { get; } = [];

        public void Report(TokenProgress value)
        {
            Seen.Add(value);
            source.Cancel();
        }
    }
}
