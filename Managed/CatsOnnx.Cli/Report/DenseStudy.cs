// SPDX-License-Identifier: MIT
// A dense model: one run over the text observes its gates, thresholds of every sparsity follow from that, and each is
// measured through a graph in memory (the unfused form, which leaves the weights where they lie). Only timing writes
// files: `cats bench` puts the fused model into a temporary folder.
using CatsOnnx.Calibration;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Text;

namespace CatsOnnx.Cli.Report;

internal sealed class DenseStudy(ModelStudy study)
{
    private const string NothingToSkip = "No MLP of this model can be rewritten, so nothing can be skipped; the table of its MLPs says why.";

    public ModelFindings Run(RewriteReport report)
    {
        string method = study.Request.Method ?? "layer";
        TextWindows? windows = study.ReadText();
        List<QualityPoint> quality = [];
        List<LayerGates> gates = [];
        GateObservations? observations = null;
        if (windows is not null)
        {
            quality.Add(study.Evaluate(windows, "dense", study.Commands.Evaluate(study.Path)));
            if (report.Fusable > 0)
            {
                observations = study.Observe(windows, method);
                gates.AddRange(observations.Layers.Select(Gates));
                quality.AddRange(Sparse(windows, observations, method));
            }
        }

        if (report.Fusable == 0)
        {
            study.Miss(ReportSection.Gates, NothingToSkip);
            study.Miss(ReportSection.Layers, NothingToSkip);
            study.Miss(ReportSection.Speed, NothingToSkip);
        }

        IReadOnlyList<SpeedPoint> speed = report.Fusable == 0 ? [] : study.Speed(() => Time(observations));
        return new ModelFindings
        {
            Path = study.Path,
            Name = study.Name,
            Rewritten = false,
            Report = report,
            Method = method,
            Tokens = windows?.TokenCount ?? 0,
            Quality = quality,
            Gates = gates,
            Speed = speed,
            Missing = study.Missing,
        };
    }

    private LayerGates Gates(LayerObservations layer) => new(
        layer.Name,
        layer.Histogram,
        [.. study.Request.Sparsities.Select(sparsity => (Sparsity: sparsity, Value: layer.Histogram.Quantile(sparsity)))
            .Where(cut => cut.Value > 0)
            .Select(cut => new Cut(Quantity.Share(cut.Sparsity), cut.Value, layer.Histogram.FractionBelow(cut.Value)))]);

    private IEnumerable<QualityPoint> Sparse(TextWindows windows, GateObservations observations, string method)
    {
        OnnxModel graph = OnnxModel.Load(study.Input.Folder.ModelPath);
        bool first = true;
        foreach (double sparsity in study.Request.Sparsities)
        {
            // The second time only thresholds change, so the weights were checked already.
            ModelRewriter.Rewrite(graph, new RewriteOptions { Thresholds = observations.ToThresholds(sparsity), Unfused = true, CheckFinite = first });
            first = false;
            yield return study.Evaluate(windows, Quantity.Share(sparsity), study.Commands.RewriteAndEvaluate(study.Path, sparsity, method), graph);
        }
    }

    private IReadOnlyList<SpeedPoint> Time(GateObservations? observations)
    {
        string command = study.Commands.Bench(study.Path);
        (IReadOnlyList<BenchRow> rows, _) = BenchJob.Execute(
            new BenchRequest
            {
                Model = study.Path,
                Observations = observations,
                Sparsities = study.Request.Sparsities,
                Rows = [1],
                Context = study.Request.Context,
                Steps = study.Request.Steps,
                Placement = study.Request.Placement,
            },
            _ => { },
            study.Cancellation);

        // On a GPU each sparsity was timed with and without a CUDA graph; the first is the faster way and the default.
        BenchRow[] best = [.. rows.GroupBy(row => row.Target).Select(group => group.First())];
        return [.. best.Select(row => new SpeedPoint(
            Quantity.Share(row.Target),
            row.Measured,
            1e3 / row.Token.CandidateMilliseconds,
            1e3 / row.Token.BaselineMilliseconds,
            row.Token.Ratio,
            (row.Token.LowerRatio, row.Token.UpperRatio),
            command))];
    }
}
