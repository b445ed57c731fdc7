// SPDX-License-Identifier: MIT
// What an evaluation may be told.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Session;
using CatsOnnx.Text;

namespace CatsOnnx.Evaluation;

/// <summary>Options of <see cref="EvaluationRun"/>.</summary>
public sealed record EvaluationOptions
{
    /// <summary>A model to compare with (usually the dense one): adds <see cref="EvaluationResult.Kl"/> and <see cref="EvaluationResult.Top1Agreement"/>.</summary>
    public ModelFolder? Against { get; init; }

    /// <summary>A changed copy of the one evaluated model's graph, run in place of its file: sparse without a file written. It is not changed.</summary>
    public OnnxModel? Graph { get; init; }

    /// <summary>Multiplies every threshold of the evaluated model (not of <see cref="Against"/>): 0 is dense, null leaves 1.</summary>
    public float? ThresholdScale { get; init; }

    /// <summary>Whether choice accuracy is measured, which takes about half the time of the windows.</summary>
    public bool Choice { get; init; } = true;

    /// <summary>Told how far the run is, batch by batch.</summary>
    public IProgress<TokenProgress>? Progress { get; init; }

    /// <summary>How the sessions are opened.</summary>
    public ModelSessionOptions Session { get; init; } = new();
}
