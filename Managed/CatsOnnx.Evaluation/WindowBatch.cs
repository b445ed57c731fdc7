// SPDX-License-Identifier: MIT
// One batch of windows as the tasks see it: logits, targets, active neurons, the other model's logits.
using CatsOnnx.Sampling;

namespace CatsOnnx.Evaluation;

/// <summary>What a model said about a batch of windows.</summary>
public sealed class WindowBatch
{
    /// <summary>A batch whose logits are measured once for all tasks.</summary>
    /// <param name="logits">[windows * length, vocab_size].</param>
    /// <param name="targets">[windows * length]: the id that each row predicts.</param>
    /// <param name="active">[layers]: active neurons of each sparse layer, summed over the batch; empty where nothing counts them.</param>
    /// <param name="other">[windows * length, vocab_size] of another model, or null.</param>
    /// <exception cref="InvalidDataException">Row counts, vocabularies or ids do not fit together, or a row has no probabilities.</exception>
    public WindowBatch(LogitBlock logits, int[] targets, long[] active, LogitBlock? other = null)
        : this(logits, logits.Measure(), targets, active, other, other?.Measure())
    {
    }

    internal WindowBatch(
        LogitBlock logits, RowStatistics[] statistics, int[] targets, long[] active, LogitBlock? other, RowStatistics[]? otherStatistics)
    {
        if (logits.Rows != targets.Length)
        {
            throw new InvalidDataException($"The model gave {logits.Rows} rows of logits for {targets.Length} tokens.");
        }

        if (targets.AsSpan().IndexOfAnyExceptInRange(0, logits.Vocabulary - 1) is >= 0 and int wrong)
        {
            throw new InvalidDataException(
                $"The text has id {targets[wrong]}, the model {logits.Vocabulary} logits: is this the model's tokenizer?");
        }

        if (other is not null && (other.Rows != logits.Rows || other.Vocabulary != logits.Vocabulary))
        {
            throw new InvalidDataException(
                $"The models cannot be compared: logits [{logits.Rows}, {logits.Vocabulary}] against [{other.Rows}, {other.Vocabulary}].");
        }

        Logits = logits;
        Statistics = statistics;
        Targets = targets;
        Active = active;
        Other = other;
        OtherStatistics = otherStatistics;
    }

    /// <summary>[Tokens, vocab_size].</summary>
    public LogitBlock Logits { get; }

    /// <summary>[Tokens]: the statistics of <see cref="Logits"/>.</summary>
    public RowStatistics[] Statistics { get; }

    /// <summary>[Tokens]: the id that each row predicts.</summary>
    public int[] Targets { get; }

    /// <summary>[layers]: active neurons, summed over the batch.</summary>
    public long[] Active { get; }

    /// <summary>[Tokens, vocab_size] of the other model, or null.</summary>
    public LogitBlock? Other { get; }

    /// <summary>[Tokens]: the statistics of <see cref="Other"/>.</summary>
    public RowStatistics[]? OtherStatistics { get; }

    /// <summary>The number of tokens.</summary>
    public int Tokens => Targets.Length;
}
