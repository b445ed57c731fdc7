// SPDX-License-Identifier: MIT
// What a process holds in memory, from /proc: VmRSS now, VmHWM at its highest.
using System.Diagnostics;
using System.Globalization;

namespace CatsOnnx.Benchmarks;

/// <param name="ResidentBytes">VmRSS.</param>
/// <param name="AnonymousBytes">RssAnon: what is not backed by a file, and so cannot be dropped.</param>
/// <param name="PeakBytes">VmHWM.</param>
internal readonly record struct ProcessMemory(long ResidentBytes, long AnonymousBytes, long PeakBytes)
{
    private static readonly TimeSpan PollEvery = TimeSpan.FromMilliseconds(20);

    public static ProcessMemory Of(int processId)
    {
        Dictionary<string, long> kilobytes = [];
        foreach (string line in File.ReadLines($"/proc/{processId}/status"))
        {
            string[] parts = line.Split([':', '\t', ' '], StringSplitOptions.RemoveEmptyEntries);
            if (parts.Length == 3 && parts[2] == "kB")
            {
                kilobytes[parts[0]] = long.Parse(parts[1], CultureInfo.InvariantCulture);
            }
        }

        return new ProcessMemory(Bytes("VmRSS"), Bytes("RssAnon"), Bytes("VmHWM"));

        long Bytes(string key) => kilobytes.GetValueOrDefault(key) * 1024;
    }

    /// <summary>Runs a program to its end and watches its peak.</summary>
    /// <returns>Wall time, the highest VmHWM seen, and standard output.</returns>
    /// <exception cref="InvalidOperationException">It ended with another code than 0; the message is its standard error.</exception>
    public static (TimeSpan Time, long PeakBytes, string Output) Watch(string program, params string[] arguments)
    {
        Stopwatch watch = Stopwatch.StartNew();
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new InvalidOperationException($"{program} did not start.");
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        long peak = 0;
        while (!process.WaitForExit(PollEvery))
        {
            try
            {
                peak = Math.Max(peak, Of(process.Id).PeakBytes);
            }
            catch (IOException)
            {
                break; // it ended between two looks
            }
        }

        process.WaitForExit();
        TimeSpan time = watch.Elapsed;
        return process.ExitCode == 0
            ? (time, peak, output.GetAwaiter().GetResult())
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {error.GetAwaiter().GetResult()}");
    }
}
