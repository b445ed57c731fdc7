// SPDX-License-Identifier: MIT
// What an evaluation finds; each task fills in its own figures.
namespace CatsOnnx.Evaluation;

/// <summary>The figures of one model on one text. A figure that was not measured is null.</summary>
public sealed record EvaluationResult
{
    /// <summary>Targets predicted.</summary>
    public required long Tokens { get; init; }

    /// <summary>exp of the mean negative log-likelihood of the targets.</summary>
    public double? Perplexity { get; init; }

    /// <summary>The share of targets that had the largest logit, 0 to 1.</summary>
    public double? NextTokenAccuracy { get; init; }

    /// <summary>The share of choice items where the true continuation scored highest, 0 to 1; null where the text has no item.</summary>
    public double? ChoiceAccuracy { get; init; }

    /// <summary>The number of choice items.</summary>
    public int ChoiceItems { get; init; }

    /// <summary>The mean of <see cref="SparsityPerLayer"/>; null where the model counts no active neurons.</summary>
    public double? Sparsity { get; init; }

    /// <summary>The share of neurons that were not active, for each sparse layer in the order of the graph, 0 to 1.</summary>
    public IReadOnlyList<double> SparsityPerLayer { get; init; } = [];

    /// <summary>The mean over positions of the divergence of this model from the other one, KL(other || this), in nats.</summary>
    public double? Kl { get; init; }

    /// <summary>The share of positions where both models' largest logit is the same id, 0 to 1.</summary>
    public double? Top1Agreement { get; init; }
}
