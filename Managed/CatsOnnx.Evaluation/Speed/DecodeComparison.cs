// SPDX-License-Identifier: MIT
// Decoding with several models, step by step in turns: each meets the machine as the others do.
using System.Diagnostics;
using CatsOnnx.Generation;
using CatsOnnx.Text;

namespace CatsOnnx.Evaluation.Speed;

/// <summary>Times decoding and prefill of models with one vocabulary.</summary>
public static class DecodeComparison
{
    private const int Warmup = 4; // a CUDA graph is captured in the first step
    private const int CountedSteps = 8;
    private const int PromptSeed = 2;

    /// <summary>Times of one step. On a GPU, which is given each step before the one before is read, blocks of steps take turns:
    /// a block's first step fills the pipeline and is not timed.</summary>
    /// <param name="decoders">The models; of one batch.</param>
    /// <param name="context">Tokens of each sequence before the first step; random ones.</param>
    /// <param name="steps">Steps to time.</param>
    /// <param name="block">Steps timed in a row: 1 on the CPU.</param>
    /// <param name="vocabSize">Ids are below it.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <param name="scales">[decoders]: what multiplies each one's thresholds; null leaves all.</param>
    /// <param name="progress">Hears of each turn.</param>
    /// <returns>[decoders][steps / block]: milliseconds of a step, the mean of its block.</returns>
    public static double[][] StepTimes(
        IReadOnlyList<BatchDecoder> decoders,
        int context,
        int steps,
        int block,
        int vocabSize,
        CancellationToken cancellation = default,
        IReadOnlyList<float>? scales = null,
        IProgress<TokenProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(decoders);
        ArgumentOutOfRangeException.ThrowIfLessThan(block, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, block);
        int batch = decoders[0].Batch;
        int blocks = steps / block;
        int first = block > 1 ? 1 : 0;
        int[] prompt = RandomText.Ids(batch * context, vocabSize, PromptSeed);
        int[][] next = [.. decoders.Select(_ => new int[batch])];
        double[][] times = [.. decoders.Select(_ => new double[blocks])];
        for (int i = 0; i < decoders.Count; i++)
        {
            decoders[i].Begin(context + Warmup + (blocks * (block + first)) + CountedSteps, scales?[i]);
            decoders[i].Counting = false;
            decoders[i].Run(prompt, next[i], cancellation);
            Steps(i, Warmup);
            decoders[i].Drain();
        }

        long began = Stopwatch.GetTimestamp();
        for (int turn = 0; turn < blocks; turn++)
        {
            progress?.Report(new TokenProgress("timing", turn * block, blocks * block, Stopwatch.GetElapsedTime(began)));
            for (int k = 0; k < decoders.Count; k++)
            {
                int i = turn % 2 == 0 ? k : decoders.Count - 1 - k; // who goes first changes
                Steps(i, first);
                long start = Stopwatch.GetTimestamp();
                Steps(i, block);
                times[i][turn] = Stopwatch.GetElapsedTime(start).TotalMilliseconds / block;
                decoders[i].Drain();
            }
        }

        for (int i = 0; i < decoders.Count; i++)
        {
            decoders[i].Counting = true;
            Steps(i, CountedSteps);
        }

        return times;

        void Steps(int i, int count)
        {
            for (int step = 0; step < count; step++)
            {
                decoders[i].Run(next[i], next[i], cancellation);
            }
        }
    }

    /// <summary>Times of reading a prompt.</summary>
    /// <param name="decoders">The models, made to take prompts of this length in one run.</param>
    /// <param name="tokens">Tokens of each sequence.</param>
    /// <param name="repeats">Prompts to time.</param>
    /// <param name="vocabSize">Ids are below it.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <param name="progress">Hears of each repeat.</param>
    /// <returns>[decoders][repeats]: milliseconds.</returns>
    public static double[][] PrefillTimes(
        IReadOnlyList<BatchDecoder> decoders,
        int tokens,
        int repeats,
        int vocabSize,
        CancellationToken cancellation = default,
        IProgress<TokenProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(decoders);
        int batch = decoders[0].Batch;
        int[] prompt = RandomText.Ids(batch * tokens, vocabSize, PromptSeed);
        int[] next = new int[batch];
        double[][] times = [.. decoders.Select(_ => new double[repeats])];
        long began = Stopwatch.GetTimestamp();
        for (int repeat = -1; repeat < repeats; repeat++)
        {
            progress?.Report(new TokenProgress("timing", (repeat + 1) * (long)tokens, (repeats + 1) * (long)tokens, Stopwatch.GetElapsedTime(began)));
            for (int i = 0; i < decoders.Count; i++)
            {
                decoders[i].Begin(tokens); // room for the prompt alone: no step is begun ahead
                long start = Stopwatch.GetTimestamp();
                decoders[i].Run(prompt, next, cancellation);
                if (repeat >= 0)
                {
                    times[i][repeat] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                }

                decoders[i].Drain();
            }
        }

        return times;
    }
}
