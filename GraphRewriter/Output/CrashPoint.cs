// SPDX-License-Identifier: MIT
// Lets a test stop a run dead at each step of writing: CATS_CRASH_AT=n kills the process at the n-th point it reaches.
namespace CatsOnnx.GraphRewriter.Output;

/// <summary>Points at which a test may kill the process; otherwise they do nothing.</summary>
internal static class CrashPoint
{
    private static readonly int s_crashAt = int.TryParse(Environment.GetEnvironmentVariable("CATS_CRASH_AT"), out int n) ? n : 0;
    private static int s_reached;

    /// <summary>Says that a step was reached.</summary>
    /// <param name="name">Names it on standard error when the process dies there.</param>
    public static void Reach(string name)
    {
        if (s_crashAt > 0 && Interlocked.Increment(ref s_reached) == s_crashAt)
        {
            Console.Error.WriteLine($"CATS_CRASH_AT: {name}");
            System.Diagnostics.Process.GetCurrentProcess().Kill();
            Thread.Sleep(Timeout.Infinite);
        }
    }
}
