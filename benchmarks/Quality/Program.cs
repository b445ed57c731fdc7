// SPDX-License-Identifier: MIT
// Calibrates, rewrites and evaluates a trained model dense and at 50, 70 and 90% by layer and by neuron, all by the
// product's own code, and writes the figures beside the reference: NAME.md and NAME.json.
using System.Diagnostics;
using System.Runtime.InteropServices;
using CatsOnnx.Calibration;
using CatsOnnx.Evaluation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Quality;
using CatsOnnx.Session;
using CatsOnnx.Text;
using CatsOnnx.Tokenization;
using Microsoft.ML.OnnxRuntime;

if (args.Length != 7)
{
    Console.Error.WriteLine("usage: quality NAME MODEL CALIBRATION_TEXT EVAL_TEXT REFERENCE_JSON WORK_FOLDER RESULT_FOLDER");
    return 1;
}

(string name, string modelPath, string calibrationText, string evalText) = (args[0], args[1], args[2], args[3]);
(Reference reference, string work, string results) = (new Reference(args[4]), args[5], args[6]);
const int CalibrationTokens = 24576;

Stopwatch clock = Stopwatch.StartNew();
ModelFolder dense = ModelFolder.Open(modelPath);
TextTokenizer tokenizer = dense.LoadTokenizer();
TextWindows calibration = Read(calibrationText, CalibrationTokens);
TextWindows evaluation = Read(evalText, null);

List<(Variant Variant, ModelFolder Folder)> models = [(new Variant("dense", 0), dense)];
foreach (IGrouping<string, Variant> method in Variant.Sparse.GroupBy(variant => variant.Method))
{
    Say($"{name}: calibrating by {method.Key}");
    GateObservations observed = CalibrationRun.Run(dense, calibration, new CalibrationOptions { Method = method.Key });
    foreach (Variant variant in method)
    {
        models.Add((variant, Rewrite(observed.ToThresholds(variant.Sparsity), variant)));
    }
}

double prepared = clock.Elapsed.TotalSeconds;
Say($"{name}: evaluating {models.Count} variants on {evaluation.TokenCount} tokens");
IReadOnlyList<EvaluationResult> found = EvaluationRun.RunAll(
    [.. models.Select(model => model.Folder)], evaluation, new EvaluationOptions { Against = dense, Progress = new Percent(Say) });
QualityReport report = new(name, Path.GetFileName(modelPath.TrimEnd('/')), evaluation.TokenCount, calibration.TokenCount, clock.Elapsed.TotalSeconds, prepared,
    $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}, .NET {Environment.Version}, {RuntimeInformation.RuntimeIdentifier}, {Environment.ProcessorCount} processors",
    [.. models.Zip(found, (model, result) => new QualityRow(model.Variant, result, reference[model.Variant], Limits.Of(name, model.Variant)))]);
Directory.CreateDirectory(results);
File.WriteAllText(Path.Combine(results, name + ".md"), report.ToMarkdown());
File.WriteAllText(Path.Combine(results, name + ".json"), report.ToJson());
Console.Write(report.ToMarkdown());
return report.Rows.All(row => row.Holds) ? 0 : 3;

TextWindows Read(string path, int? maxTokens)
    => TextWindows.FromFiles([path], text => tokenizer.Encode(text), tokenizer.BosId, tokenizer.EosId, maxTokens);

ModelFolder Rewrite(ThresholdTable thresholds, Variant variant)
{
    string folder = Path.Combine(work, name, variant.Key);
    if (Directory.Exists(folder))
    {
        Directory.Delete(folder, recursive: true);
    }

    Directory.CreateDirectory(folder);
    OnnxModel graph = OnnxModel.Load(dense.ModelPath);
    RewriteReport rewritten = ModelRewriter.Rewrite(graph, new RewriteOptions { Thresholds = thresholds });
    graph.Save(Path.Combine(folder, Path.GetFileName(dense.ModelPath)));
    thresholds.Save(Path.Combine(folder, "thresholds.json"));
    foreach (string file in Directory.EnumerateFiles(dense.Root).Where(file => Path.GetExtension(file) is ".json" or ".model"))
    {
        File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
    }

    Say($"{name}: {variant} rewritten, {rewritten.Fused} MLPs");
    return ModelFolder.Open(folder);
}

static void Say(string text) => Console.Error.WriteLine($"{DateTime.UtcNow:HH:mm:ss} {text}");

/// <summary>Says how far a run is at every tenth.</summary>
internal sealed class Percent(Action<string> say) : IProgress<TokenProgress>
{
    private (string Stage, long Tenth) _last;

    public void Report(TokenProgress value)
    {
        (string, long) now = (value.Stage, value.Done * 10 / Math.Max(1, value.Total));
        if (now != _last)
        {
            _last = now;
            say($"{value.Stage}: {100.0 * value.Done / value.Total:F0}%, {value.TokensPerSecond:F0} tokens/s, {value.Remaining:mm\\:ss} left");
        }
    }
}
