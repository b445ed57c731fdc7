// SPDX-License-Identifier: MIT
// The commands that give a report's numbers, as a person can paste them into a shell.
using System.Globalization;

namespace CatsOnnx.Cli.Report;

internal sealed class CommandText(ReportRequest request)
{
    private const string Rewritten = "sparse";

    /// <summary>The report itself.</summary>
    public string Report() => Join("cats report", [.. request.Models, "-o", request.Output, .. Text(), .. Sparsity(request.Sparsities), .. Method(), .. Tokenizer(), .. Device()]);

    public static string Inspect(string model) => Join("cats inspect", [model]);

    public static string Show(string file) => Join("cat", [file]);

    /// <summary>Thresholds of one sparsity.</summary>
    public string Calibrate(string model, double sparsity, string method) =>
        Join("cats calibrate", [model, .. Text(), .. Sparsity([sparsity]), "--method", method, .. Tokenizer(), .. Device(), "-o", "thresholds.json"]);

    /// <summary>Thresholds of every sparsity.</summary>
    public IEnumerable<string> CalibrateAll(string model, string method) => request.Sparsities.Select(sparsity => Calibrate(model, sparsity, method));

    /// <summary>Perplexity and sparsity of a model as it is, or at a threshold scale.</summary>
    public string Evaluate(string model, double? scale = null) =>
        Join("cats eval", [model, .. Text(), .. Scale(scale), .. Tokenizer(), .. Device()]);

    /// <summary>Perplexity and sparsity of a dense model made sparse.</summary>
    public string RewriteAndEvaluate(string model, double sparsity, string method) =>
        Join("cats rewrite", [model, "-o", Rewritten, .. Text(), .. Sparsity([sparsity]), "--method", method, .. Tokenizer(), .. Device(), "--overwrite"])
        + " && " + Evaluate(Rewritten);

    /// <summary>Speed of a dense model and of its sparse forms.</summary>
    public string Bench(string model) => Join(
        "cats bench",
        [
            model, .. request.Texts.Count > 0 ? ["--text", .. request.Texts] : Array.Empty<string>(), .. Sparsity(request.Sparsities),
            "--context", Number(request.Context), "--steps", Number(request.Steps), .. Device(),
        ]);

    /// <summary>Speed of a rewritten model at a threshold scale.</summary>
    public string Generate(string model, double scale) => Join(
        "cats generate", [model, "--prompt", "Once", "--max-new-tokens", Number(request.Steps), .. Scale(scale), .. Tokenizer(), .. Device()]);

    private static string Join(string verb, IEnumerable<string> arguments) => string.Join(' ', arguments.Select(Quoted).Prepend(verb));

    private static string Quoted(string argument) =>
        argument.Length > 0 && argument.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./:=,+@%".Contains(letter))
            ? argument
            : "'" + argument.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string[] Scale(double? scale) => scale is { } value ? ["--threshold-scale", Number(value)] : [];

    private static string[] Sparsity(IReadOnlyList<double> values) => ["--sparsity", .. values.Select(value => Number(value))];

    private string[] Text() => request.Texts.Count == 0
        ? []
        : ["--text", .. request.Texts, .. request.MaxTokens is { } tokens ? ["--max-tokens", Number(tokens)] : Array.Empty<string>()];

    private string[] Method() => request.Method is { } method ? ["--method", method] : [];

    private string[] Tokenizer() => request.Tokenizer is { } path ? ["--tokenizer", path] : [];

    private string[] Device() => request.Placement.Device.IsCpu ? [] : ["--device", request.Placement.Device.ToString()];
}
