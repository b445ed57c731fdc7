// SPDX-License-Identifier: MIT
// Models for benchmarks: random weights in a shape, and the same at a sparsity, with thresholds from the model's own
// activations on random tokens.
using CatsOnnx.Calibration;
using CatsOnnx.Evaluation.Speed;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Output;
using CatsOnnx.GraphRewriter.Synthesis;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;

namespace CatsOnnx.Benchmarks;

internal static class SparseModel
{
    private const ulong Seed = 1;
    private const int WindowTokens = 128;
    private const int Windows = 4;
    private const int HoleHiddenSize = 4096;
    private const int HoleIntermediateSize = 11008;

    /// <summary>The tool that this build made.</summary>
    public static string ToolPath =>
        Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "CatsOnnx.Cli", "release", "cats.dll"));

    /// <summary>Writes a float32 model and the same made sparse.</summary>
    public static (string Source, string Rewritten) Make(string work, string shape, double sparsity)
    {
        string source = Path.Combine(work, "source");
        string rewritten = Path.Combine(work, "rewritten");
        Console.WriteLine($"making {shape} in {source}");
        DecoderModel.Write(DecoderShape.Named(shape), DecoderDtype.Fp32, Seed, source);
        Console.WriteLine("calibrating on random tokens");
        ModelFolder folder = ModelFolder.Open(source);
        ThresholdTable thresholds = CalibrationRun.Run(folder, RandomText.Windows(Windows, WindowTokens, DecoderShape.Named(shape).VocabularySize), new CalibrationOptions { Sparsity = sparsity }).ToThresholds();
        Console.WriteLine($"rewriting to {rewritten}");
        OnnxModel model = OnnxModel.Load(folder.ModelPath);
        ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = thresholds, CheckFinite = false });
        new RewrittenFolder { Source = source, Model = model, Target = rewritten, Thresholds = System.Text.Encoding.UTF8.GetBytes(thresholds.ToJson()) }.Write();
        return (source, rewritten);
    }

    /// <summary>Writes MLPs whose weights are holes, and thresholds for them.</summary>
    public static (string Model, string Thresholds) MakeHoles(string work, int layers)
    {
        string folder = Directory.CreateDirectory(Path.Combine(work, "holes")).FullName;
        string model = GatedMlpModel.WriteHoles(folder, HoleHiddenSize, HoleIntermediateSize, layers);
        string thresholds = Path.Combine(work, "thresholds.json");
        ThresholdTable.Uniform(ModelRewriter.Inspect(OnnxModel.Load(model)), .1f).Save(thresholds);
        return (model, thresholds);
    }
}
