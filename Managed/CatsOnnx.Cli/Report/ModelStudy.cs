// SPDX-License-Identifier: MIT
// Finds out about one model what the page says: opens it, measures what can be measured, and says of the rest why not.
using CatsOnnx.Calibration;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Evaluation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Text;

namespace CatsOnnx.Cli.Report;

internal sealed class ModelStudy(ReportRequest request, string path, string name, ModelInput input, CancellationToken cancellation)
{
    private readonly CommandText _commands = new(request);
    private readonly Dictionary<ReportSection, string> _missing = [];

    public static ModelFindings Of(ReportRequest request, string path, string name, ModelInput input, CancellationToken cancellation)
    {
        RewriteReport report = ModelRewriter.Inspect(input.Graph);
        ModelStudy study = new(request, path, name, input, cancellation);
        return report.Fused > 0 ? new RewrittenStudy(study).Run(report) : new DenseStudy(study).Run(report);
    }

    public ReportRequest Request => request;

    public string Path => path;

    public string Name => name;

    public ModelInput Input => input;

    public CommandText Commands => _commands;

    public CancellationToken Cancellation => cancellation;

    public IReadOnlyDictionary<ReportSection, string> Missing => _missing;

    public void Miss(ReportSection section, string why) => _missing[section] = why;

    /// <summary>The text in the model's tokens; null where none was given, which is noted.</summary>
    public TextWindows? ReadText()
    {
        if (request.Texts.Count > 0)
        {
            return TextInput.Read(input.Folder, request.Texts, request.Tokenizer, request.MaxTokens);
        }

        const string Remedy = "No text was given. Run the report again with --text FILE (UTF-8; any text of the kind that the model is for).";
        Miss(ReportSection.Gates, Remedy);
        Miss(ReportSection.Quality, Remedy);
        Miss(ReportSection.Layers, Remedy);
        return null;
    }

    public GateObservations Observe(TextWindows windows, string method) =>
        ProgressBar.Run($"{name}: observing gates", "tokens", 1, progress => CalibrationRun.Run(
            input.Folder,
            windows,
            new CalibrationOptions { Method = method, Progress = ProgressForwarding.ForTokens(progress), Session = Sessions.Options(request.Placement) },
            cancellation));

    /// <summary>Measures the model, or a changed copy of its graph, at one setting.</summary>
    public QualityPoint Evaluate(TextWindows windows, string label, string command, OnnxModel? graph = null, double? scale = null)
    {
        EvaluationResult result = ProgressBar.Run($"{name}: {label}", "tokens", 1, progress => EvaluationRun.Run(
            input.Folder,
            windows,
            new EvaluationOptions
            {
                Graph = graph,
                ThresholdScale = (float?)scale,
                Choice = false,
                Progress = ProgressForwarding.ForTokens(progress),
                Session = Sessions.Options(request.Placement),
            },
            cancellation));
        return new QualityPoint(label, result.Sparsity ?? 0, result.Perplexity, result.NextTokenAccuracy, result.SparsityPerLayer, command);
    }

    /// <summary>Times; a model that cannot be timed is no failure of the report.</summary>
    public IReadOnlyList<SpeedPoint> Speed(Func<IReadOnlyList<SpeedPoint>> measure)
    {
        try
        {
            return measure();
        }
        catch (Exception error) when (error is UnsuitableInputException or ArgumentException)
        {
            Miss(ReportSection.Speed, $"The speed was not measured: {error.Message}");
            return [];
        }
    }
}
