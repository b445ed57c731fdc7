// SPDX-License-Identifier: MIT
// What a calibration may be told.
using CatsOnnx.Session;
using CatsOnnx.Text;

namespace CatsOnnx.Calibration;

/// <summary>Options of <see cref="CalibrationRun"/>.</summary>
public sealed record CalibrationOptions
{
    /// <summary>The share of activations to drop, 0 up to but not 1.</summary>
    public double Sparsity { get; init; } = 0.5;

    /// <summary>How thresholds are chosen: a name of <see cref="Methods.MethodCatalog"/>.</summary>
    public string Method { get; init; } = "layer";

    /// <summary>Which part of the windows this run observes, 1 to <see cref="Shards"/>.</summary>
    public int Shard { get; init; } = 1;

    /// <summary>How many parts the windows are cut into, each for a run of its own.</summary>
    public int Shards { get; init; } = 1;

    /// <summary>Told how far the run is, batch by batch.</summary>
    public IProgress<TokenProgress>? Progress { get; init; }

    /// <summary>How the session is opened.</summary>
    public ModelSessionOptions Session { get; init; } = new();
}
