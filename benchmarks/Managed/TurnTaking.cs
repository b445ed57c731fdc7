// SPDX-License-Identifier: MIT
// Two generators that decode token by token in turns, so that both meet the same machine.
using System.Diagnostics;
using CatsOnnx.Generation;

namespace CatsOnnx.Benchmarks;

internal static class TurnTaking
{
    private const int AllTurns = 1 << 20;

    /// <summary>Generates with both from the same prompt, one token here, one there.</summary>
    /// <returns>For each: milliseconds of every decoded token (the first, which prefill gives, left out), and the ids.</returns>
    public static ((double[] Milliseconds, IReadOnlyList<int> Ids) First, (double[] Milliseconds, IReadOnlyList<int> Ids) Second) Generate(
        TokenGenerator first, TokenGenerator second, int[] prompt, GenerationOptions options)
    {
        using SemaphoreSlim firstTurn = new(1);
        using SemaphoreSlim secondTurn = new(0);
        Task<(double[], IReadOnlyList<int>)> one = Task.Run(() => Play(first, firstTurn, secondTurn));
        Task<(double[], IReadOnlyList<int>)> two = Task.Run(() => Play(second, secondTurn, firstTurn));
        Task.WaitAll(one, two);
        return (one.Result, two.Result);

        (double[], IReadOnlyList<int>) Play(TokenGenerator generator, SemaphoreSlim mine, SemaphoreSlim other)
        {
            List<double> times = [];
            long start = 0;
            mine.Wait();
            try
            {
                GenerationResult result = generator.Generate(prompt, options, token =>
                {
                    if (token.Id is null)
                    {
                        return;
                    }

                    if (start != 0)
                    {
                        times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                    }

                    other.Release();
                    mine.Wait();
                    start = Stopwatch.GetTimestamp();
                });
                return ([.. times], result.Ids);
            }
            finally
            {
                other.Release(AllTurns); // the other goes on alone, also after an error here
            }
        }
    }
}
