// SPDX-License-Identifier: MIT
// Ctrl+C in every verb that writes, at several moments: nothing half done stays, neither where the output would be nor among
// the system's temporary files.
using System.Diagnostics;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliInterruptTests(CliRewriteTests.DemoRewrite demo) : IClassFixture<CliRewriteTests.DemoRewrite>
{
    private const string Made = "made";

    private static readonly int[] s_moments = [30, 150, 350, 600, 900]; // ms

    [Theory]
    [InlineData("calibrate", false)]
    [InlineData("rewrite", false)]
    [InlineData("revert", false)]
    [InlineData("make-model", true)]
    [InlineData("bench", true)]
    [InlineData("report", true)]
    [InlineData("demo", true)]
    public void Ctrl_C_leaves_the_whole_output_or_nothing(string verb, bool isLong)
    {
        int interrupted = 0;
        foreach (int moment in s_moments)
        {
            using TemporaryFolder folder = new();
            string work = Directory.CreateDirectory(folder["tmp"]).FullName;
            CliRun run = Interrupted(Arguments(verb, folder[Made]), work, moment);
            Assert.True(run.ExitCode is 0 or 130, $"{verb} after {moment} ms: exit code {run.ExitCode}\n{run.Error}");
            interrupted += run.ExitCode == 130 ? 1 : 0;
            Assert.Empty(Left(work));
            bool whole = run.ExitCode == 0 && verb is not ("bench" or "demo");
            Assert.Equal(whole ? [Made, "tmp"] : (string[])["tmp"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }

        // The verb takes longer than the last moment.
        Assert.True(!isLong || interrupted == s_moments.Length, $"{verb} was interrupted {interrupted} times of {s_moments.Length}");
    }

    [Theory]
    [InlineData("bench")]
    [InlineData("demo")]
    public void A_second_Ctrl_C_ends_at_once_and_leaves_no_temporary_models(string verb)
    {
        using TemporaryFolder folder = new();
        string work = Directory.CreateDirectory(folder["tmp"]).FullName;
        CliRun run = Interrupted(Arguments(verb, folder[Made]), work, 700, 750).Expect(130);
        Assert.Contains("interrupted", run.Error, StringComparison.Ordinal);
        Assert.Empty(Left(work));
    }

    private string[] Arguments(string verb, string output) => verb switch
    {
        // Long enough to be interrupted while they write.
        "make-model" => ["make-model", "--shape", "tinyllama-1.1b", "--dtype", "fp16", "-o", output],
        "bench" => ["bench", "--shape", "tinyllama-1.1b", "--dtype", "fp16"],
        "report" => ["report", CliTool.DemoModel, demo.Output, "-o", output, "--text", Path.Combine(CliTool.DemoModel, "calibrate.txt")],
        _ => CliVerbs.SmallRun(verb, demo.Output, output),
    };

    // What other programs of the machine leave there (the runtime's diagnostics) has other names.
    private static IEnumerable<string?> Left(string work) =>
        Directory.GetFileSystemEntries(work).Select(Path.GetFileName).Where(name => name!.StartsWith("cats", StringComparison.Ordinal));

    private static CliRun Interrupted(string[] arguments, string work, params int[] moments)
    {
        ProcessStartInfo start = new("dotnet", [CliTool.Path, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["TMPDIR"] = work;
        Process process = Process.Start(start)!;
        int waited = 0;
        foreach (int moment in moments)
        {
            Thread.Sleep(moment - waited);
            waited = moment;
            if (!process.HasExited)
            {
                using Process kill = Process.Start("kill", ["-INT", $"{process.Id}"]);
                kill.WaitForExit();
            }
        }

        return CliTool.Finish(process);
    }
}
