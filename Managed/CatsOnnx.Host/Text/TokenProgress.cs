// SPDX-License-Identifier: MIT
// How far a run over text has come: what a progress bar shows.
namespace CatsOnnx.Text;

/// <summary>The state of a run that reads tokens (calibration, evaluation).</summary>
/// <param name="Stage">What the run does at the moment, in a word or two.</param>
/// <param name="Done">Tokens read in this stage.</param>
/// <param name="Total">Tokens that this stage reads.</param>
/// <param name="Elapsed">Time since this stage began.</param>
public readonly record struct TokenProgress(string Stage, long Done, long Total, TimeSpan Elapsed)
{
    /// <summary>Tokens per second since the stage began; 0 before the first batch.</summary>
    public double TokensPerSecond => Elapsed > TimeSpan.Zero ? Done / Elapsed.TotalSeconds : 0;

    /// <summary>Time left at the rate so far, or null before the first batch.</summary>
    public TimeSpan? Remaining => Done > 0 ? Elapsed * ((double)(Total - Done) / Done) : null;
}
