// SPDX-License-Identifier: MIT
// Random tokens, the same in every run: what models with random weights are calibrated and timed on.
using CatsOnnx.Text;

namespace CatsOnnx.Evaluation.Speed;

/// <summary>Makes token ids of no meaning.</summary>
public static class RandomText
{
    private const int WindowsSeed = 1;

    /// <summary>Ids that are spread evenly over a vocabulary.</summary>
    /// <param name="count">How many.</param>
    /// <param name="vocabSize">Ids are below it.</param>
    /// <param name="seed">Equal seeds give equal ids.</param>
    public static int[] Ids(int count, int vocabSize, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabSize))];
    }

    /// <summary>Windows of such ids, to calibrate on.</summary>
    /// <param name="count">Windows.</param>
    /// <param name="length">Tokens of each.</param>
    /// <param name="vocabSize">Ids are below it.</param>
    public static TextWindows Windows(int count, int length, int vocabSize) => TextWindows.FromIds(Ids((count * length) + 1, vocabSize, WindowsSeed), length: length);
}
