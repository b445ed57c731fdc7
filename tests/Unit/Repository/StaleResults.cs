// SPDX-License-Identifier: MIT
// Results measured on other device code than this one, as eng/code_hash.sh finds them, and the mark that README gives them.
using System.Diagnostics;
using System.Text.RegularExpressions;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.Repository;

internal static partial class StaleResults
{
    /// <summary>Whether figures of other code are a failure: on the machine that can measure them again.</summary>
    public static bool AreFailures => Environment.GetEnvironmentVariable("CATS_REQUIRE_CUDA") == "1";

    /// <summary>The stale files of the repository, each with the code that it was measured on.</summary>
    public static IReadOnlyDictionary<string, string> Find()
    {
        ProcessStartInfo start = new("bash", [Path.Combine(SharedFiles.RepositoryRoot, "eng", "code_hash.sh"), "stale"]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"eng/code_hash.sh stale ended with {process.ExitCode}");
        return Read(output);
    }

    /// <summary>Reads the lines of eng/code_hash.sh stale.</summary>
    public static IReadOnlyDictionary<string, string> Read(string output) =>
        StaleLine().Matches(output).ToDictionary(line => line.Groups["path"].Value, line => line.Groups["code"].Value, StringComparer.Ordinal);

    /// <summary>A table, with a mark above it where its file is stale.</summary>
    public static string Mark(string table, string path, IReadOnlyDictionary<string, string> stale) => stale.TryGetValue(path, out string? code)
        ? $"*Stale: measured on device code {code}, which has changed since.*\n\n{table}"
        : table;

    /// <summary>The text without any mark.</summary>
    public static string WithoutMarks(string text) => MarkLine().Replace(text, "");

    [GeneratedRegex(@"^STALE (?<path>\S+): measured on device code (?<code>[^ ,]+)", RegexOptions.Multiline)]
    private static partial Regex StaleLine();

    [GeneratedRegex(@"^\*Stale: .*\*\n\n", RegexOptions.Multiline)]
    private static partial Regex MarkLine();
}
