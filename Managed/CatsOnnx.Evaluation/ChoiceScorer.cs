// SPDX-License-Identifier: MIT
// Scores choice items: a context is read once, its keys and values serve all candidates.
using CatsOnnx.Evaluation.Tasks;
using CatsOnnx.Text;

namespace CatsOnnx.Evaluation;

/// <summary>Runs the items of <see cref="ContinuationChoice"/> on one model.</summary>
internal sealed class ChoiceScorer(EvaluatedModel model)
{
    /// <summary>Items whose contexts are read in one batch.</summary>
    public const int ItemsAtOnce = 16;

    private const int Context = ContinuationChoice.ContextLength;
    private const int Candidates = ContinuationChoice.Candidates;
    private const int Length = ContinuationChoice.CandidateLength;

    private int _right;
    private int _items;

    /// <summary>Scores some items.</summary>
    /// <param name="ids">The ids that the windows read.</param>
    /// <param name="starts">Where the items start.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    public void Score(ReadOnlySpan<int> ids, int[] starts, CancellationToken cancellationToken)
    {
        // Logits predict the next id, so the last id of a context is read with each candidate and a candidate's last never.
        int[] contexts = new int[starts.Length * (Context - 1)];
        for (int item = 0; item < starts.Length; item++)
        {
            ContinuationChoice.Context(ids, starts[item])[..^1].CopyTo(contexts.AsSpan(item * (Context - 1)));
        }

        SequencePast[] pasts = model.HasCache ? model.ReadPasts(contexts, starts.Length, cancellationToken) : [];
        try
        {
            Span<double> scores = stackalloc double[Candidates];
            for (int item = 0; item < starts.Length; item++)
            {
                for (int candidate = 0; candidate < Candidates; candidate++)
                {
                    scores[candidate] = Score(ids, starts[item], candidate, model.HasCache ? pasts[item] : null, cancellationToken);
                }

                _right += ContinuationChoice.IsRight(scores) ? 1 : 0;
                _items++;
            }
        }
        finally
        {
            Array.ForEach(pasts, past => past.Dispose());
        }
    }

    /// <summary>Adds the accuracy to a result.</summary>
    public EvaluationResult Report(EvaluationResult result)
        => result with { ChoiceItems = _items, ChoiceAccuracy = _items > 0 ? (double)_right / _items : null };

    // The sum of a candidate's log-probabilities. Without a past its context is read again.
    private double Score(ReadOnlySpan<int> ids, int start, int candidate, SequencePast? past, CancellationToken cancellationToken)
    {
        ReadOnlySpan<int> targets = ContinuationChoice.Candidate(ids, start, candidate);
        ReadOnlySpan<int> before = ContinuationChoice.Context(ids, start)[(past is null ? 0 : Context - 1)..];
        using ReadBatch read = model.Read([.. before, .. targets[..^1]], 1, cancellationToken, past);
        double score = 0;
        for (int position = 0; position < Length; position++)
        {
            int row = read.Logits.Rows - Length + position;
            score += read.Statistics[row].LogProbability(read.Logits.Row(row), targets[position]);
        }

        return score;
    }
}
