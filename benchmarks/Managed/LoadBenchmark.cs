// SPDX-License-Identifier: MIT
// Load time and memory of a rewritten model against its source: each load is a process of its own, the two in turns.
using System.Diagnostics;
using System.Globalization;
using CatsOnnx.Evaluation.Speed;
using CatsOnnx.Session;

namespace CatsOnnx.Benchmarks;

internal static class LoadBenchmark
{
    /// <summary>The hidden verb of the child process.</summary>
    public const string ChildVerb = "load-child";

    private const int WindowTokens = 8;

    public static void Run(string source, string rewritten, int pairs, ResultTable table)
    {
        List<Load> sources = [];
        List<Load> rewrites = [];
        Child(source);
        Child(rewritten); // both once, so that both are in the page cache
        for (int i = 0; i < pairs; i++)
        {
            bool first = i % 2 == 0;
            Load one = Child(first ? source : rewritten);
            Load two = Child(first ? rewritten : source);
            sources.Add(first ? one : two);
            rewrites.Add(first ? two : one);
        }

        Row("load, ms", load => load.Milliseconds, 1);
        Row("resident after load, MB", load => load.Loaded.ResidentBytes, 1e6);
        Row("resident after a window, MB", load => load.Used.ResidentBytes, 1e6);
        Row("of that not backed by a file, MB", load => load.Used.AnonymousBytes, 1e6);
        Row("peak, MB", load => load.Used.PeakBytes, 1e6);

        void Row(string what, Func<Load, double> value, double unit)
        {
            PairedTiming pair = PairedTiming.Of([.. rewrites.Select(value)], [.. sources.Select(value)]);
            table.Add(
                what,
                (pair.CandidateMilliseconds / unit).ToString("0", CultureInfo.InvariantCulture),
                (pair.BaselineMilliseconds / unit).ToString("0", CultureInfo.InvariantCulture),
                pair.Ratio.ToString("0.000", CultureInfo.InvariantCulture));
        }
    }

    /// <summary>The child: loads, runs a window, says time and memory in one line.</summary>
    public static int RunChild(string model)
    {
        Stopwatch watch = Stopwatch.StartNew();
        using ModelSession session = ModelSession.Open(ModelFolder.Open(model));
        double milliseconds = watch.Elapsed.TotalMilliseconds;
        ProcessMemory loaded = ProcessMemory.Of(Environment.ProcessId);
        session.RunWindow([.. Enumerable.Range(1, WindowTokens)]);
        ProcessMemory used = ProcessMemory.Of(Environment.ProcessId);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{milliseconds} {loaded.ResidentBytes} {loaded.AnonymousBytes} {loaded.PeakBytes} {used.ResidentBytes} {used.AnonymousBytes} {used.PeakBytes}"));
        return 0;
    }

    private static Load Child(string model)
    {
        (_, _, string output) = ProcessMemory.Watch("dotnet", typeof(LoadBenchmark).Assembly.Location, ChildVerb, model);
        double[] numbers = [.. output.Trim().Split('\n')[^1].Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture))];
        return new Load(numbers[0], Memory(1), Memory(4));

        ProcessMemory Memory(int at) => new((long)numbers[at], (long)numbers[at + 1], (long)numbers[at + 2]);
    }

    private sealed record Load(double Milliseconds, ProcessMemory Loaded, ProcessMemory Used);
}
