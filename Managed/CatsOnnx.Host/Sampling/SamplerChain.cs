// SPDX-License-Identifier: MIT
// The rules that options ask for, in Hugging Face's order, and the draw at their end.
namespace CatsOnnx.Sampling;

/// <summary>Draws tokens by <see cref="SamplingOptions"/>. Has a state (its random numbers): one text at a time.</summary>
public sealed class SamplerChain : ISampler
{
    private readonly Candidates _candidates = new();
    private readonly ISamplingRule[] _rules;
    private readonly SplitMix64? _random; // null: the likeliest token is taken

    /// <summary>A chain of the rules that the options ask for.</summary>
    /// <param name="options">Temperature, cuts, penalties and the seed; temperature 0 takes the likeliest token.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public SamplerChain(SamplingOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();

        // The order of transformers' GenerationMixin._get_logits_processor; the two penalties that it lacks stand with its own.
        ISamplingRule?[] rules =
        [
            RepetitionPenalty.From(options),
            PresencePenalty.From(options),
            FrequencyPenalty.From(options),
            Temperature.From(options),
            TopK.From(options),
            TopP.From(options),
            MinP.From(options),
        ];
        _rules = [.. rules.OfType<ISamplingRule>()];
        _random = options.Temperature == 0 ? null : new SplitMix64(options.Seed ?? Random.Shared.NextInt64());
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The options have penalties, which need the tokens so far.</exception>
    public int Sample(ReadOnlySpan<float> logits)
    {
        if (_rules.FirstOrDefault(rule => rule is IPenalty) is ISamplingRule penalty)
        {
            throw new InvalidOperationException($"{penalty.GetType().Name} needs the tokens so far, and here they are not known.");
        }

        return Sample(logits, default);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">A logit is NaN: the model's numbers have broken down.</exception>
    public int Sample(ReadOnlySpan<float> logits, TokenHistory history)
    {
        _candidates.Load(logits);
        foreach (ISamplingRule rule in _rules)
        {
            rule.Apply(_candidates, history);
        }

        return _random is null ? _candidates.Best() : _candidates.Draw(_random.NextDouble());
    }

    /// <summary>The sampler of a request: a new chain, or the greedy one where nothing else is asked for, which a GPU does by
    /// itself.</summary>
    internal static ISampler Of(SamplingOptions options)
    {
        SamplerChain chain = new(options);
        return chain._random is null && !chain._rules.Any(rule => rule is IPenalty) ? Greedy.Instance : chain;
    }
}
