// SPDX-License-Identifier: MIT
// Decoding with several models, step by step in turns: each meets the machine as the others do.
using System.Diagnostics;
using CatsOnnx.Generation;

namespace CatsOnnx.Evaluation.Speed;

/// <summary>Times decoding and prefill of models with one vocabulary.</summary>
public static class DecodeComparison
{
    private const int Warmup = 4; // a CUDA graph is captured in the first step
    private const int CountedSteps = 8;

    /// <summary>Times of one step.</summary>
    /// <param name="decoders">The models; of one batch.</param>
    /// <param name="context">Tokens of each sequence before the first step; random ones.</param>
    /// <param name="steps">Steps to time.</param>
    /// <param name="vocabSize">Ids are below it.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>[decoders][steps]: milliseconds.</returns>
    public static double[][] StepTimes(IReadOnlyList<BatchDecoder> decoders, int context, int steps, int vocabSize, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(decoders);
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        int batch = decoders[0].Batch;
        int[] prompt = Prompt(batch * context, vocabSize);
        int[][] next = [.. decoders.Select(_ => new int[batch])];
        double[][] times = [.. decoders.Select(_ => new double[steps])];
        for (int i = 0; i < decoders.Count; i++)
        {
            decoders[i].Begin(context + Warmup + steps + CountedSteps);
            decoders[i].Counting = false;
            decoders[i].Run(prompt, next[i], cancellation);
            for (int step = 0; step < Warmup; step++)
            {
                decoders[i].Run(next[i], next[i], cancellation);
            }
        }

        for (int step = 0; step < steps; step++)
        {
            for (int k = 0; k < decoders.Count; k++)
            {
                int i = step % 2 == 0 ? k : decoders.Count - 1 - k; // who goes first changes
                long start = Stopwatch.GetTimestamp();
                decoders[i].Run(next[i], next[i], cancellation);
                times[i][step] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            }
        }

        for (int i = 0; i < decoders.Count; i++)
        {
            decoders[i].Counting = true;
            for (int step = 0; step < CountedSteps; step++)
            {
                decoders[i].Run(next[i], next[i], cancellation);
            }
        }

        return times;
    }

    /// <summary>Times of reading a prompt.</summary>
    /// <param name="decoders">The models, made to take prompts of this length in one run.</param>
    /// <param name="tokens">Tokens of each sequence.</param>
    /// <param name="repeats">Prompts to time.</param>
    /// <param name="vocabSize">Ids are below it.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>[decoders][repeats]: milliseconds.</returns>
    public static double[][] PrefillTimes(IReadOnlyList<BatchDecoder> decoders, int tokens, int repeats, int vocabSize, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(decoders);
        int batch = decoders[0].Batch;
        int[] prompt = Prompt(batch * tokens, vocabSize);
        int[] next = new int[batch];
        double[][] times = [.. decoders.Select(_ => new double[repeats])];
        for (int repeat = -1; repeat < repeats; repeat++)
        {
            for (int i = 0; i < decoders.Count; i++)
            {
                decoders[i].Begin(tokens + 1);
                long start = Stopwatch.GetTimestamp();
                decoders[i].Run(prompt, next, cancellation);
                if (repeat >= 0)
                {
                    times[i][repeat] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                }
            }
        }

        return times;
    }

    private static int[] Prompt(int tokens, int vocabSize)
    {
        Random random = new(2);
        return [.. Enumerable.Range(0, tokens).Select(_ => random.Next(vocabSize))];
    }
}
