// SPDX-License-Identifier: MIT
// Each evaluation task on batches small enough to work out by hand.
using CatsOnnx.Evaluation;
using CatsOnnx.Evaluation.Tasks;

namespace CatsOnnx.Tests.Unit.Evaluation;

public sealed class EvaluationTaskTests
{
    // Three rows over two ids with probabilities 1/4 and 3/4, 1/2 and 1/2, 9/10 and 1/10.
    private static readonly float[] Logits =
        [0, MathF.Log(3), 0, 0, MathF.Log(9), 0];

    [Fact]
    public void Perplexity_is_the_exponential_of_the_mean_loss()
    {
        EvaluationResult result = Run(new PerplexityTask(), Batch([1, 0, 1]), Batch([1, 0, 1]));
        Assert.Equal(Math.Pow(0.75 * 0.5 * 0.1, -1.0 / 3), result.Perplexity!.Value, 1e-6);
    }

    [Fact]
    public void Next_token_accuracy_counts_targets_with_the_largest_logit()
    {
        Assert.Equal(2.0 / 3, Run(new NextTokenTask(), Batch([1, 0, 1])).NextTokenAccuracy);
        Assert.Equal(1.0 / 2, Run(new NextTokenTask(), Batch([1, 0, 1]), Batch([0, 1, 0])).NextTokenAccuracy);
    }

    [Fact]
    public void Divergence_is_taken_from_the_other_model()
    {
        LogitBlock other = new([0, 0, 0, 0, 0, 0], 2);
        WindowBatch batch = new(new LogitBlock(Logits, 2), [1, 0, 1], [], other);
        EvaluationResult result = Run(new DivergenceTask(), batch);
        double expected = -(Math.Log(0.25) + Math.Log(0.75) + 2 * Math.Log(0.5) + Math.Log(0.9) + Math.Log(0.1)) / 6 - Math.Log(2);
        Assert.Equal(expected, result.Kl!.Value, 1e-6);
        Assert.Equal(2.0 / 3, result.Top1Agreement);
        Assert.Null(Run(new DivergenceTask(), Batch([1, 0, 1])).Kl);
    }

    [Fact]
    public void Sparsity_is_the_share_of_neurons_not_counted_active()
    {
        WindowBatch batch = new(new LogitBlock(Logits, 2), [1, 0, 1], [3, 30]);
        EvaluationResult result = Run(new SparsityTask([4, 20]), batch, batch);
        Assert.Equal([0.75, 0.5], result.SparsityPerLayer);
        Assert.Equal(0.625, result.Sparsity);
        Assert.Null(Run(new SparsityTask([]), Batch([1, 0, 1])).Sparsity);
        Assert.Throws<InvalidDataException>(() => new SparsityTask([4]).Observe(batch));
    }

    [Theory]
    [InlineData(55296, 287)]
    [InlineData(71168, 370)]
    [InlineData(512, 2)]
    [InlineData(304, 0)]
    [InlineData(305, 1)]
    public void Choice_items_start_at_every_192nd_id(long length, int items)
        => Assert.Equal(items, ContinuationChoice.Starts(length).Count);

    [Fact]
    public void Choice_items_hold_the_ids_that_the_protocol_names()
    {
        int[] ids = [.. Enumerable.Range(0, 1000)];
        Assert.Equal(Enumerable.Range(192, 48), ContinuationChoice.Context(ids, 192).ToArray());
        Assert.Equal(Enumerable.Range(240, 16), ContinuationChoice.Candidate(ids, 192, 0).ToArray());
        Assert.Equal(Enumerable.Range(384, 16), ContinuationChoice.Candidate(ids, 192, 3).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => ContinuationChoice.Candidate(ids, 0, 4).Length);
    }

    [Fact]
    public void The_true_continuation_wins_a_draw()
    {
        Assert.True(ContinuationChoice.IsRight([-1, -1, -2, -3]));
        Assert.False(ContinuationChoice.IsRight([-2, -1, -2, -3]));
        Assert.False(ContinuationChoice.IsRight([double.NaN, -1, -2, -3]));
    }

    [Fact]
    public void Rows_and_ids_that_do_not_fit_are_refused()
    {
        Assert.Throws<InvalidDataException>(() => Batch([1, 0]));
        Assert.Contains("tokenizer", Assert.Throws<InvalidDataException>(() => Batch([1, 0, 2])).Message);
        Assert.Throws<InvalidDataException>(() => new WindowBatch(new LogitBlock(Logits, 2), [1, 0, 1], [], new LogitBlock(Logits, 3)));
        Assert.Throws<ArgumentException>(() => new LogitBlock(Logits, 4));
    }

    private static WindowBatch Batch(int[] targets) => new(new LogitBlock(Logits, 2), targets, []);

    private static EvaluationResult Run(IWindowTask task, params WindowBatch[] batches)
    {
        foreach (WindowBatch batch in batches)
        {
            task.Observe(batch);
        }

        return task.Report(new EvaluationResult { Tokens = batches.Sum(batch => batch.Tokens) });
    }
}
