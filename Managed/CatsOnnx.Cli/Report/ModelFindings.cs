// SPDX-License-Identifier: MIT
// What was found out about one model: the numbers behind the charts and tables of its part of the page.
using CatsOnnx.Calibration;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Thresholds;

namespace CatsOnnx.Cli.Report;

/// <summary>One model's findings; lists are empty where something was not measured, and <see cref="Missing"/> says why.</summary>
internal sealed record ModelFindings
{
    /// <summary>As the user wrote it.</summary>
    public required string Path { get; init; }

    /// <summary>Short and unlike the other models' names.</summary>
    public required string Name { get; init; }

    /// <summary>Whether it was rewritten before; its points are then threshold scales, else target sparsities.</summary>
    public required bool Rewritten { get; init; }

    public required RewriteReport Report { get; init; }

    /// <summary>"layer" or "neuron".</summary>
    public required string Method { get; init; }

    /// <summary>A rewritten model's own thresholds.</summary>
    public ThresholdTable? Thresholds { get; init; }

    /// <summary>Where <see cref="Thresholds"/> were read: a file, or null for the graph itself.</summary>
    public string? ThresholdsFile { get; init; }

    /// <summary>Tokens of text that were read.</summary>
    public long Tokens { get; init; }

    public IReadOnlyList<QualityPoint> Quality { get; init; } = [];

    public IReadOnlyList<SpeedPoint> Speed { get; init; } = [];

    public IReadOnlyList<LayerGates> Gates { get; init; } = [];

    public IReadOnlyDictionary<ReportSection, string> Missing { get; init; } = new Dictionary<ReportSection, string>();
}

/// <summary>Parts of the page that can be missing.</summary>
internal enum ReportSection
{
    Layers,
    Gates,
    Quality,
    Speed,
}

/// <summary>A model at one setting, on the text.</summary>
/// <param name="Label">"dense", "50%", "scale 0.5".</param>
/// <param name="Sparsity">Measured; 0 for the dense model.</param>
/// <param name="Perplexity">On the text.</param>
/// <param name="Accuracy">Share of next tokens that had the largest logit.</param>
/// <param name="Layers">[layers]: measured sparsity; empty for the dense model.</param>
/// <param name="Command">The command that gives these numbers.</param>
internal sealed record QualityPoint(string Label, double Sparsity, double? Perplexity, double? Accuracy, IReadOnlyList<double> Layers, string Command);

/// <summary>Decoding at one setting.</summary>
/// <param name="Label">"50%", "scale 0.5".</param>
/// <param name="Sparsity">Measured while decoding.</param>
/// <param name="TokensPerSecond">Of one sequence.</param>
/// <param name="Baseline">Tokens per second of the dense model (a rewritten one at scale 0) that took turns with it.</param>
/// <param name="Ratio">How many times the baseline's speed: the median of the pairs.</param>
/// <param name="Quartiles">Of the pairs' ratios.</param>
/// <param name="Command">The command that gives these numbers.</param>
internal sealed record SpeedPoint(
    string Label, double? Sparsity, double TokensPerSecond, double Baseline, double Ratio, (double Lower, double Upper) Quartiles, string Command);

/// <summary>A layer's gate activations, and where thresholds cut them.</summary>
/// <param name="Name">The MLP.</param>
/// <param name="Histogram">Of abs(SiLU(gate)), times the neuron's weight for the method "neuron".</param>
/// <param name="Cuts">Thresholds in the histogram's unit.</param>
internal sealed record LayerGates(string Name, GateHistogram Histogram, IReadOnlyList<Cut> Cuts);

/// <summary>A threshold drawn into a histogram.</summary>
/// <param name="Label">"50%", "x1.5".</param>
/// <param name="Value">Above 0.</param>
/// <param name="Below">The share of activations below it.</param>
internal sealed record Cut(string Label, double Value, double Below);
