// SPDX-License-Identifier: MIT
// Drawing tokens: each rule and their order against probabilities computed directly in double, seeds, penalties, refusals.
using CatsOnnx.Sampling;

namespace CatsOnnx.Tests.Unit.Host.Sampling;

public sealed class SamplerChainTests
{
    private const int Draws = 100_000;
    private static readonly int[] Prompt = [3, 5, 5, 40];
    private static readonly int[] Generated = [7, 3, 7, 7, 12];

    public static TheoryData<SamplingOptions> Distributions =>
    [
        new SamplingOptions { Seed = 1 },
        new SamplingOptions { Seed = 2, Temperature = 0.6f },
        new SamplingOptions { Seed = 3, Temperature = 1.7f },
        new SamplingOptions { Seed = 4, TopK = 9 },
        new SamplingOptions { Seed = 5, TopP = 0.8f },
        new SamplingOptions { Seed = 6, MinP = 0.2f },
        new SamplingOptions { Seed = 7, RepetitionPenalty = 1.8f },
        new SamplingOptions { Seed = 8, PresencePenalty = 1.5f },
        new SamplingOptions { Seed = 9, FrequencyPenalty = 0.7f },
        new SamplingOptions { Seed = 10, Temperature = 0.7f, TopK = 20, TopP = 0.9f, MinP = 0.05f, RepetitionPenalty = 1.1f },
        new SamplingOptions { Seed = 11, Temperature = 1.4f, TopK = 6, TopP = 0.7f, MinP = 0.4f, RepetitionPenalty = 0.7f, PresencePenalty = -0.5f, FrequencyPenalty = 0.3f },
    ];

    [Theory]
    [MemberData(nameof(Distributions))]
    public void Draws_have_the_distribution_that_the_rules_define(SamplingOptions options)
    {
        float[] logits = Logits(60, seed: 20261126);
        double[] expected = Probabilities(logits, options);
        SamplerChain sampler = new(options);
        int[] counts = new int[logits.Length];
        for (int i = 0; i < Draws; i++)
        {
            counts[sampler.Sample(logits, new TokenHistory(Prompt, Generated))]++;
        }

        // Cells of fewer than 5 expected draws are taken together.
        double statistic = 0;
        double rareExpected = 0;
        int rareCount = 0;
        int cells = 0;
        for (int token = 0; token < counts.Length; token++)
        {
            double draws = expected[token] * Draws;
            if (draws == 0)
            {
                Assert.Equal(0, counts[token]);
            }
            else if (draws < 5)
            {
                rareExpected += draws;
                rareCount += counts[token];
            }
            else
            {
                statistic += Math.Pow(counts[token] - draws, 2) / draws;
                cells++;
            }
        }

        if (rareExpected > 0)
        {
            statistic += Math.Pow(rareCount - rareExpected, 2) / rareExpected;
            cells++;
        }

        Assert.True(cells > 3, $"{cells} cells");
        Assert.True(statistic < Critical(cells - 1), $"chi-squared {statistic:F1} of {cells} cells, {Critical(cells - 1):F1} allowed");
    }

    [Fact]
    public void The_test_of_distributions_would_see_rules_in_another_order()
    {
        float[] logits = Logits(60, seed: 20261126);
        double[] expected = Probabilities(logits, new SamplingOptions { Temperature = 1.7f, TopP = 0.8f });
        double[] other = Probabilities(logits, new SamplingOptions { TopP = 0.8f }); // the cut of top-p before temperature
        Assert.NotEqual(expected.Count(value => value > 0), other.Count(value => value > 0));
    }

    [Fact]
    public void The_same_seed_gives_the_same_tokens_and_another_seed_others()
    {
        int[] first = Tokens(7);
        Assert.Equal(first, Tokens(7));
        Assert.NotEqual(first, Tokens(8));
        Assert.NotEqual(Tokens(null), Tokens(null));

        static int[] Tokens(long? seed)
        {
            SamplerChain sampler = new(new SamplingOptions { Seed = seed, TopK = 40 });
            float[] logits = Logits(500, seed: 5);
            return [.. Enumerable.Range(0, 50).Select(_ => sampler.Sample(logits))];
        }
    }

    [Fact]
    public void Random_numbers_of_a_seed_never_change()
    {
        // The reference sequence of SplitMix64 from seed 1234567, its first 53 bits.
        SplitMix64 random = new(1234567);
        ulong[] reference = [6457827717110365317, 3203168211198807973, 9817491932198370423];
        Assert.Equal(reference.Select(value => (value >> 11) * Math.Pow(2, -53)), reference.Select(_ => random.NextDouble()));
    }

    [Fact]
    public void Temperature_zero_takes_the_likeliest_token_after_penalties()
    {
        float[] logits = [1, 4, 3.5f, 4, -2];
        Assert.Equal(1, new SamplerChain(new SamplingOptions { Temperature = 0 }).Sample(logits));
        SamplerChain penalized = new(new SamplingOptions { Temperature = 0, PresencePenalty = 1 });
        Assert.Equal(3, penalized.Sample(logits, new TokenHistory([3], [1])));
        Assert.Equal(2, penalized.Sample(logits, new TokenHistory([], [1, 3, 99])));
        Assert.Same(Greedy.Instance, SamplerChain.Of(new SamplingOptions { Temperature = 0, TopK = 5 }));
        Assert.IsType<SamplerChain>(SamplerChain.Of(new SamplingOptions { Temperature = 0, RepetitionPenalty = 1.1f }));
    }

    [Fact]
    public void Equal_logits_stay_together_in_top_k_and_the_lower_id_goes_first_in_top_p()
    {
        float[] logits = [0, 2, 2, 2, 1];
        Assert.Equal([1, 2, 3], Drawn(new SamplingOptions { TopK = 2, Seed = 1 }, logits));
        Assert.Equal([1, 2], Drawn(new SamplingOptions { TopP = 0.5f, Seed = 1 }, logits));
        Assert.Equal([1], Drawn(new SamplingOptions { TopP = 1e-6f, Seed = 1 }, logits));
        Assert.Equal([1, 2, 3], Drawn(new SamplingOptions { MinP = 1, Seed = 1 }, logits));
        Assert.Equal([0, 1, 2, 3, 4], Drawn(new SamplingOptions { TopK = 9, Seed = 1 }, logits));
    }

    [Fact]
    public void Infinite_logits_are_certain_or_impossible()
    {
        const float Infinity = float.PositiveInfinity;
        Assert.Equal([1, 3], Drawn(new SamplingOptions { Seed = 1 }, [5, Infinity, 3, Infinity]));
        Assert.Equal([0, 2], Drawn(new SamplingOptions { Seed = 1, TopP = 0.99f, MinP = 0.001f }, [0, -Infinity, 0, -Infinity]));
        Assert.Throws<InvalidDataException>(() => new SamplerChain(new SamplingOptions()).Sample([1, float.NaN]));
    }

    [Fact]
    public void A_cut_of_one_token_does_not_stay_for_the_next()
    {
        SamplerChain sampler = new(new SamplingOptions { TopK = 1, Seed = 1 });
        Assert.Equal(2, sampler.Sample([0, 1, 9, 3]));
        Assert.Equal(0, sampler.Sample([9, 1, 0, 3]));
        Assert.Equal(1, sampler.Sample([0, 1]));
        Assert.Equal(4, sampler.Sample([0, 1, 2, 3, 4]));
    }

    [Fact]
    public void Penalties_without_the_text_are_refused_by_name()
    {
        SamplerChain sampler = new(new SamplingOptions { FrequencyPenalty = 1 });
        Assert.Contains("FrequencyPenalty", Assert.Throws<InvalidOperationException>(() => sampler.Sample([1, 2])).Message);
    }

    public static TheoryData<SamplingOptions, string> Wrong => new()
    {
        { new SamplingOptions { Temperature = -1 }, "Temperature must be 0 or more" },
        { new SamplingOptions { Temperature = float.NaN }, "Temperature" },
        { new SamplingOptions { TopK = -1 }, "TopK" },
        { new SamplingOptions { TopP = 0 }, "TopP must be above 0" },
        { new SamplingOptions { TopP = 1.5f }, "TopP" },
        { new SamplingOptions { MinP = -0.1f }, "MinP" },
        { new SamplingOptions { RepetitionPenalty = 0 }, "RepetitionPenalty" },
        { new SamplingOptions { PresencePenalty = float.PositiveInfinity }, "PresencePenalty" },
        { new SamplingOptions { FrequencyPenalty = float.NaN }, "FrequencyPenalty" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Options_out_of_range_are_refused_with_the_range(SamplingOptions options, string part) =>
        Assert.Contains(part, Assert.Throws<ArgumentOutOfRangeException>(() => new SamplerChain(options)).Message);

    private static int[] Drawn(SamplingOptions options, float[] logits)
    {
        SamplerChain sampler = new(options);
        return [.. Enumerable.Range(0, 2000).Select(_ => sampler.Sample(logits)).Distinct().Order()];
    }

    private static float[] Logits(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 6) - 2))];
    }

    // The rules written down once more, on sorted lists in double.
    private static double[] Probabilities(float[] logits, SamplingOptions options)
    {
        double[] scores = [.. logits.Select(logit => (double)logit)];
        foreach (int token in Prompt.Concat(Generated).Distinct())
        {
            scores[token] *= scores[token] < 0 ? options.RepetitionPenalty : 1 / (double)options.RepetitionPenalty;
        }

        foreach (IGrouping<int, int> token in Generated.GroupBy(token => token))
        {
            scores[token.Key] -= options.PresencePenalty + (options.FrequencyPenalty * (double)token.Count());
        }

        List<int> left = [.. Enumerable.Range(0, scores.Length).OrderByDescending(token => scores[token])];
        double Weight(int token) => Math.Exp((scores[token] - scores[left[0]]) / options.Temperature);
        if (options.TopK > 0)
        {
            left = [.. left.Take(options.TopK)];
        }

        double sum = left.Sum(Weight);
        double before = 0;
        int kept = 0;
        while (kept < left.Count && before < options.TopP * sum)
        {
            before += Weight(left[kept++]);
        }

        left = [.. left.Take(kept).Where(token => Weight(token) >= options.MinP)];
        sum = left.Sum(Weight);
        double[] probabilities = new double[scores.Length];
        left.ForEach(token => probabilities[token] = Weight(token) / sum);
        return probabilities;
    }

    // Wilson and Hilferty's approximation of the quantile that chance passes once in 30,000 tests.
    private static double Critical(int degrees)
    {
        double part = 2.0 / (9 * degrees);
        return degrees * Math.Pow(1 - part + (4 * Math.Sqrt(part)), 3);
    }
}
