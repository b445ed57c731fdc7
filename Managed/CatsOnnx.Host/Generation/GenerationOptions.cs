// SPDX-License-Identifier: MIT
// What a request for text may ask for.
using System.Globalization;
using CatsOnnx.Sampling;

namespace CatsOnnx.Generation;

/// <summary>Options of one request.</summary>
public sealed record GenerationOptions
{
    /// <summary>The most tokens to generate (1 or more); fewer where the model's context ends.</summary>
    public int MaxNewTokens { get; init; } = 128;

    /// <summary>Ids that end the text; null: those that the model's files name. An empty list generates to the end.</summary>
    public IReadOnlyCollection<int>? StopTokens { get; init; }

    /// <summary>Strings that end the text, wherever token borders fall in them. They are not part of it.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Multiplies every threshold of a rewritten model: 0 is dense, 1 the model's own; null leaves the model's value. 0 or more.</summary>
    public float? ThresholdScale { get; init; }

    /// <summary>The same for the run of the prompt, where it should differ from decoding (0: the prompt is run densely); null: as
    /// <see cref="ThresholdScale"/>. Needs a model with a cache: without one every token runs the prompt again.</summary>
    public float? PrefillThresholdScale { get; init; }

    /// <summary>Every how many decoded tokens the dense model is asked too, in <see cref="GenerationStatistics.Probes"/> and
    /// <see cref="GeneratedToken.Probe"/>; 0: never. The tokens stay the same. A probe takes the time of one dense step more. It
    /// goes on from the keys and values of the tokens as they were run; without a cache the tokens before are dense too.
    /// A model that was not rewritten has nothing to probe, and batches are not probed: both are refused.</summary>
    public int DenseProbeEvery { get; init; }

    /// <summary>How tokens are chosen, where <see cref="Sampling"/> is null: the most likely ones unless told otherwise.</summary>
    public ISampler Sampler { get; init; } = Greedy.Instance;

    /// <summary>How tokens are drawn; each request begins at the seed. Null leaves it to <see cref="Sampler"/>.</summary>
    public SamplingOptions? Sampling { get; init; }

    /// <summary>Whether the beginning that the prompt shares with the request before (prompt and answer) is not run again but
    /// taken from the cache: in a conversation only what is new is run. Off by default: rounding differs a little from a
    /// prompt run at once, so that in float16 another token may be chosen than from scratch. Only where both requests have the same
    /// scales of thresholds; an answer keeps the keys and values that it was decoded with.</summary>
    public bool ReusePrefix { get; init; }

    /// <summary>The rule for threshold scales: a finite number, 0 (dense) or more, or null for the model's own.</summary>
    /// <param name="option">What the caller's user calls the option.</param>
    /// <param name="scale">Its value.</param>
    /// <returns>What is wrong, a sentence with the option and its value; null where nothing is.</returns>
    public static string? ThresholdScaleError(string option, float? scale) =>
        scale is not float value || (float.IsFinite(value) && value >= 0) ? null
        : string.Create(CultureInfo.InvariantCulture, $"{option} is {value}; it must be a finite number, 0 (dense) or more.");

    /// <exception cref="ArgumentException">An option is out of range.</exception>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxNewTokens, 1);
        Check(ThresholdScale, nameof(ThresholdScale));
        Check(PrefillThresholdScale, nameof(PrefillThresholdScale));
        ArgumentOutOfRangeException.ThrowIfNegative(DenseProbeEvery);
        Sampling?.Check();
        foreach (string stop in StopStrings)
        {
            ArgumentException.ThrowIfNullOrEmpty(stop, nameof(StopStrings));
        }
    }

    private static void Check(float? scale, string name)
    {
        if (ThresholdScaleError(name, scale) is string error)
        {
            throw new ArgumentOutOfRangeException(name, scale, error);
        }
    }
}
