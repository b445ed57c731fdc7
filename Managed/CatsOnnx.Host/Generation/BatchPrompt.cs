// SPDX-License-Identifier: MIT
// A prompt of a batch with options of its own, and what a batch gave.
using System.Collections;

namespace CatsOnnx.Generation;

/// <summary>A prompt of a batch.</summary>
/// <param name="Ids">Token ids, bos among them where the model wants it.</param>
/// <param name="Options">Options of this prompt, such as a seed of its own; null for the default ones. All prompts of a batch have one
/// <see cref="GenerationOptions.ThresholdScale"/> and one <see cref="GenerationOptions.PrefillThresholdScale"/>, and no dense probes.</param>
public sealed record BatchPrompt(int[] Ids, GenerationOptions? Options = null);

/// <summary>What a batch gave: one result a prompt, in the prompts' order.</summary>
public sealed class BatchResult : IReadOnlyList<GenerationResult>
{
    private readonly IReadOnlyList<GenerationResult> _results;

    internal BatchResult(IReadOnlyList<GenerationResult> results, TimeSpan elapsed, int groups, string? groupsReason)
    {
        _results = results;
        Elapsed = elapsed;
        Groups = groups;
        GroupsReason = groupsReason;
    }

    /// <summary>Prompts.</summary>
    public int Count => _results.Count;

    /// <summary>From the start until the last sequence had ended.</summary>
    public TimeSpan Elapsed { get; }

    /// <summary>Groups of sequences that ran one after the other: 1 where all ran together.</summary>
    public int Groups { get; }

    /// <summary>Why not all sequences ran together; null where they did.</summary>
    public string? GroupsReason { get; }

    /// <summary>New tokens of all sequences a second, the time of the prompts among it.</summary>
    public double TokensPerSecond => Elapsed > TimeSpan.Zero ? _results.Sum(result => result.Statistics.NewTokens) / Elapsed.TotalSeconds : 0;

    /// <summary>A prompt's result.</summary>
    public GenerationResult this[int index] => _results[index];

    /// <inheritdoc/>
    public IEnumerator<GenerationResult> GetEnumerator() => _results.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
