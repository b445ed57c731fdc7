// SPDX-License-Identifier: MIT
// Generates several sequences together: each prompt is run alone, then all sequences get a token a run until each has ended.
using CatsOnnx.Session;

namespace CatsOnnx.Generation;

/// <summary>A batch of sequences, of equal length or padded.</summary>
/// <param name="session">A model with a cache.</param>
/// <param name="counted">Outputs with active neurons.</param>
/// <param name="side">Where the graph wants padding.</param>
/// <param name="thresholdScale">The scale of thresholds in decoding, or null for the model's own.</param>
internal sealed class BatchGeneration(ModelSession session, IEnumerable<string> counted, PaddingSide side, float? thresholdScale)
{
    /// <summary>Generates all sequences.</summary>
    /// <param name="sequences">The sequences.</param>
    /// <param name="prefill">Runs a prompt alone, in a cache that holds it until the next call, and chooses the first token.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    /// <returns>The results, in the sequences' order.</returns>
    public GenerationResult[] Run(
        IReadOnlyList<SequenceState> sequences, Func<SequenceState, (int Token, KvCache Cache)> prefill, CancellationToken cancellationToken)
    {
        GenerationResult[] results = new GenerationResult[sequences.Count];
        int width = sequences.Max(sequence => sequence.Prompt.Length);
        int room = sequences.Max(sequence => sequence.Prompt.Length + sequence.MaxNewTokens - 1);
        BatchStep? step = null;
        try
        {
            List<int> running = []; // sequence of each row
            for (int i = 0; i < sequences.Count; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                (int token, KvCache cache) = prefill(sequences[i]);
                bool goesOn = sequences[i].Add(token);
                cancellationToken.ThrowIfCancellationRequested(); // a callback may have disposed the generator, and the cache with it
                if (!goesOn)
                {
                    results[i] = sequences[i].Finish();
                    continue;
                }

                step ??= new BatchStep(session, counted, new BatchRows(side, width), sequences.Count - i, room, cache is SharedKvCache, thresholdScale);
                step.Join(sequences[i].Prompt.Length, cache);
                running.Add(i);
            }

            bool ended = step?.Rows.TooWide == true; // the longest prompt's answer was one token
            while (running.Count > 0)
            {
                if (ended)
                {
                    int[] rows = [.. Enumerable.Range(0, running.Count).Where(row => sequences[running[row]].Reason is null)];
                    running = [.. rows.Select(row => running[row])];
                    if (rows.Length == 0)
                    {
                        break;
                    }

                    step!.Keep(rows);
                }

                ended = Step(step!, sequences, running, results, cancellationToken);
            }
        }
        finally
        {
            step?.Dispose();
        }

        return results;
    }

    // One token of each row.
    private static bool Step(
        BatchStep step, IReadOnlyList<SequenceState> sequences, List<int> running, GenerationResult[] results, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested(); // a callback may have ended the request or the generator
        step.Run([.. running.Select(i => sequences[i].Last)], cancellationToken);
        bool ended = false;
        for (int row = 0; row < running.Count; row++)
        {
            SequenceState sequence = sequences[running[row]];
            int token;
            try
            {
                token = sequence.Sampler.Sample(step.Logits(row));
            }
            catch (InvalidDataException error)
            {
                throw new InvalidDataException($"prompts[{sequence.Index}]: {error.Message}", error);
            }

            step.CountActive(row, sequence.Counter);
            if (!sequence.Add(token))
            {
                results[running[row]] = sequence.Finish();
                ended = true;
            }
        }

        return ended;
    }
}
