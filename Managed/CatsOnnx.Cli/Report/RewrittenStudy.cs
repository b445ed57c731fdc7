// SPDX-License-Identifier: MIT
// A rewritten model: its own thresholds, measured at several threshold scales in one and the same graph.
using CatsOnnx.Calibration;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Evaluation.Speed;
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Text;

namespace CatsOnnx.Cli.Report;

internal sealed class RewrittenStudy(ModelStudy study)
{
    private const int BlockSteps = 8;

    private static readonly double[] s_scales = [0, .5, 1, 1.5];

    public ModelFindings Run(RewriteReport report)
    {
        (ThresholdTable thresholds, string? file) = Thresholds();
        TextWindows? windows = study.ReadText();
        List<QualityPoint> quality = [];
        List<LayerGates> gates = [];
        if (windows is not null)
        {
            GateObservations observations = study.Observe(windows, thresholds.Method);
            gates.AddRange(observations.Layers.Zip(thresholds.Layers, Gates));
            quality.AddRange(s_scales.Select(scale => study.Evaluate(
                windows, Label(scale), study.Commands.Evaluate(study.Path, scale), scale: scale)));
        }

        return new ModelFindings
        {
            Path = study.Path,
            Name = study.Name,
            Rewritten = true,
            Report = report,
            Method = thresholds.Method,
            Thresholds = thresholds,
            ThresholdsFile = file,
            Tokens = windows?.TokenCount ?? 0,
            Quality = quality,
            Gates = gates,
            Speed = study.Speed(Time),
            Missing = study.Missing,
        };
    }

    private static string Label(double scale) => ToolOutput.Format($"scale {scale}");

    // thresholds.json also says what each layer came to on the calibration text; where it is not the model's, the graph has the values.
    private (ThresholdTable Table, string? File) Thresholds()
    {
        string file = System.IO.Path.Combine(study.Input.Folder.Root, "thresholds.json");
        if (File.Exists(file) && ThresholdTable.Load(file) is { } table && RewrittenThresholds.AreThoseOf(study.Input.Graph, table))
        {
            return (table, file);
        }

        return (RewrittenThresholds.Of(study.Input.Graph)!, null);
    }

    private static LayerGates Gates(LayerObservations layer, LayerThresholds thresholds)
    {
        double one = InUnitOf(layer, thresholds);
        IEnumerable<Cut> cuts = s_scales
            .Where(scale => scale * one > 0)
            .Select(scale => new Cut(ToolOutput.Format($"×{scale}"), scale * one, layer.Histogram.FractionBelow((float)(scale * one))));
        return new LayerGates(layer.Name, layer.Histogram, [.. cuts]);
    }

    // Thresholds of neurons are one value over their weights, up to rounding: the median times its weight gives it back.
    private static double InUnitOf(LayerObservations layer, LayerThresholds thresholds)
    {
        if (layer.Weights.IsEmpty)
        {
            return thresholds.Thresholds.Average();
        }

        double[] products = new double[thresholds.Thresholds.Length];
        for (int neuron = 0; neuron < products.Length; neuron++)
        {
            products[neuron] = thresholds.Thresholds[neuron] * (double)layer.Weights.Span[thresholds.Thresholds.Length == 1 ? 0 : neuron];
        }

        return PairedTiming.Quantile(products, .5);
    }

    private IReadOnlyList<SpeedPoint> Time()
    {
        Placement placement = study.Request.Placement;
        using ModelSession session = ModelSession.OpenCounting(study.Input.Folder, out IReadOnlyList<ActiveCount> counts, Sessions.Options(placement));
        List<BatchDecoder> decoders = [];
        try
        {
            foreach (double _ in s_scales)
            {
                decoders.Add(new BatchDecoder(session, 1, TokenGeneratorOptions.Counting(counts)));
            }

            int block = placement.Device.IsCpu ? 1 : BlockSteps;
            double[][] times = ProgressBar.Run($"{study.Name}: timing", "steps", 1, progress => DecodeComparison.StepTimes(
                decoders,
                study.Request.Context,
                study.Request.Steps,
                block,
                session.Signature.VocabSize,
                study.Cancellation,
                [.. s_scales.Select(scale => (float)scale)],
                ProgressForwarding.ForTokens(progress)));
            PairedTiming[] pairs = [.. times.Select(own => PairedTiming.Of(times[0], own))];
            return [.. s_scales.Select((scale, index) => new SpeedPoint(
                Label(scale),
                decoders[index].Sparsity,
                1e3 / pairs[index].CandidateMilliseconds,
                1e3 / pairs[index].BaselineMilliseconds,
                pairs[index].Ratio,
                (pairs[index].LowerRatio, pairs[index].UpperRatio),
                study.Commands.Generate(study.Path, scale)))];
        }
        finally
        {
            decoders.ForEach(decoder => decoder.Dispose());
        }
    }
}
