// SPDX-License-Identifier: MIT
// What a rewrite was asked for, and what it did.
using CatsOnnx.GraphRewriter;

namespace CatsOnnx.Cli.Jobs;

internal sealed record RewriteRequest
{
    public required string Model { get; init; }

    public required string Output { get; init; }

    /// <summary>A thresholds.json; null where <see cref="Texts"/> are given.</summary>
    public string? Thresholds { get; init; }

    public IReadOnlyList<string> Texts { get; init; } = [];

    public double? Sparsity { get; init; }

    public string? Method { get; init; }

    public int? MaxTokens { get; init; }

    public bool Unfused { get; init; }

    /// <summary>auto, on or off.</summary>
    public string Check { get; init; } = "auto";

    /// <summary>linux-x64, win-x64 or none; null: what suits the folder.</summary>
    public string? Rid { get; init; }

    public string? Tokenizer { get; init; }

    public Placement Placement { get; init; } = Placement.Cpu;

    public bool RequireAll { get; init; }

    public bool Overwrite { get; init; }
}

/// <param name="Report">MLP by MLP.</param>
/// <param name="Folder">The new folder.</param>
/// <param name="TargetSparsity">What was asked for.</param>
/// <param name="CalibratedSparsity">What the thresholds gave on the calibration text.</param>
/// <param name="Method">layer or neuron.</param>
/// <param name="Check">The run against the source.</param>
/// <param name="Library">The library put beside the model, or null.</param>
/// <param name="SourceBytes">Size of the source's graph and weights.</param>
/// <param name="ResultBytes">Size of the result's.</param>
/// <param name="Calibration">Time of calibration.</param>
/// <param name="Writing">Time of rewriting and writing.</param>
internal sealed record RewriteOutcome(
    RewriteReport Report,
    string Folder,
    double TargetSparsity,
    double CalibratedSparsity,
    string Method,
    CheckResult Check,
    string? Library,
    long SourceBytes,
    long ResultBytes,
    TimeSpan Calibration,
    TimeSpan Writing);
