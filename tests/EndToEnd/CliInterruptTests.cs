// SPDX-License-Identifier: MIT
// Ctrl+C once and twice, SIGTERM, SIGHUP and a terminal that is closed, in every verb that writes, at several moments: nothing
// half done stays, neither where the output would be nor among the system's temporary files.
using System.Diagnostics;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliInterruptTests(CliRewriteTests.DemoRewrite demo) : IClassFixture<CliRewriteTests.DemoRewrite>
{
    private const string Made = "made";

    private static readonly int[] s_moments = [30, 150, 350, 600, 900]; // ms
    private static readonly TimeSpan s_atOnce = TimeSpan.FromSeconds(10); // 2 to remove what was staged, and a machine with other work

    // Each, and whether it takes longer than the last moment.
    public static TheoryData<string, bool> Verbs => new()
    {
        { "calibrate", false }, { "rewrite", false }, { "revert", false }, { "make-model", true }, { "bench", true }, { "report", true }, { "demo", true },
    };

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Ctrl_C_leaves_the_whole_output_or_nothing(string verb, bool isLong)
    {
        int interrupted = s_moments.Count(moment => IsInterrupted(verb, ("INT", moment)));

        // The verb takes longer than the last moment.
        Assert.True(!isLong || interrupted == s_moments.Length, $"{verb} was interrupted {interrupted} times of {s_moments.Length}");
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void So_do_a_terminal_that_is_closed_and_a_system_that_shuts_down(string verb, bool isLong)
    {
        foreach ((string signal, int moment) in ((string, int)[])[("HUP", 150), ("TERM", 350), ("HUP", 700)])
        {
            Assert.True(IsInterrupted(verb, (signal, moment)) || !isLong, $"{verb} was not interrupted by SIG{signal} after {moment} ms");
        }
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void A_second_Ctrl_C_ends_at_once_and_leaves_the_whole_output_or_nothing(string verb, bool isLong)
    {
        foreach ((int moment, int gap) in ((int, int)[])[(150, 3), (300, 10), (450, 1), (700, 50), (900, 3)])
        {
            Assert.True(IsInterrupted(verb, ("INT", moment), ("INT", moment + gap)) || !isLong, $"{verb} was not interrupted after {moment} ms");
        }
    }

    [Theory]
    [InlineData("make-model", 500)]
    [InlineData("report", 700)]
    [InlineData("demo", 700)]
    public void A_progress_bar_on_a_terminal_that_is_closed_does_not_keep_it_from_undoing(string verb, int moment)
    {
        using TemporaryFolder folder = new();
        string work = Directory.CreateDirectory(folder["tmp"]).FullName;

        // util-linux's script gives a terminal, and takes it away when it is killed. The shell passes the signal on, as a shell with job control
        // does, and lives on to tell the exit code.
        string tool = $"dotnet {CliTool.Path} {string.Join(' ', Arguments(verb, folder[Made]))}";
        string command = $"trap 'kill -HUP $!' HUP; {tool} & wait $!; wait $!; echo $? >{folder["code.new"]}; mv {folder["code.new"]} {folder["code"]}";
        ProcessStartInfo start = new("env", [CliTool.HeedSignals, "script", "-qec", command, "/dev/null"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment["TMPDIR"] = work;
        start.Environment["TERM"] = "xterm-256color";
        using Process terminal = Process.Start(start)!;
        Thread.Sleep(moment);
        terminal.Kill();
        Assert.True(SpinWait.SpinUntil(() => File.Exists(folder["code"]), s_atOnce), $"{verb} did not end");
        Assert.Equal("130", File.ReadAllText(folder["code"]).Trim());
        Assert.Empty(Left(work));
        Assert.Equal(["code", "tmp"], Names(folder.Path));
    }

    [Fact]
    public void Under_nohup_it_goes_on()
    {
        using TemporaryFolder folder = new();
        string work = Directory.CreateDirectory(folder["tmp"]).FullName;
        (CliRun run, _) = Interrupted(Arguments("rewrite", folder[Made]), work, "--ignore-signal=HUP", ("HUP", 150), ("HUP", 350), ("HUP", 600));
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Equal([Made, "tmp"], Names(folder.Path));
    }

    private static IEnumerable<string?> Names(string folder) => Directory.GetFileSystemEntries(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal);

    // Whether it ended by the signals and not by itself before; fails where something is left of it, or it went on after a second signal.
    private bool IsInterrupted(string verb, params (string Signal, int Moment)[] signals)
    {
        using TemporaryFolder folder = new();
        string work = Directory.CreateDirectory(folder["tmp"]).FullName;
        (CliRun run, TimeSpan after) = Interrupted(Arguments(verb, folder[Made]), work, CliTool.HeedSignals, signals);
        string when = $"{verb}, {string.Join(", ", signals.Select(one => $"SIG{one.Signal} after {one.Moment} ms"))}";

        // Where the tool has not begun yet, which takes longer beside other work, the signal itself ends the process: 128 and its number.
        bool begun = signals[0].Moment >= 600 || run.Error.Contains("interrupted", StringComparison.Ordinal);
        int code = begun ? 130 : signals[0].Signal switch { "HUP" => 129, "TERM" => 143, _ => 130 };
        Assert.True(run.ExitCode == 0 || run.ExitCode == code, $"{when}: exit code {run.ExitCode}\n{run.Error}");
        Assert.True(signals.Length == 1 || after < s_atOnce, $"{when}: ended {after} later");
        Assert.True(!Left(work).Any(), $"{when}: left {string.Join(", ", Left(work))}");
        IEnumerable<string?> names = Names(folder.Path);
        bool made = names.SequenceEqual([Made, "tmp"]);
        Assert.True(made || names.SequenceEqual(["tmp"]), $"{when}: exit code {run.ExitCode}, and there are {string.Join(", ", names)}");

        // A second signal ends the process at once, also where the output has just got its name.
        bool writes = verb is not ("bench" or "demo");
        Assert.True(made == (writes && run.ExitCode == 0) || (made && writes && signals.Length == 2), $"{when}: exit code {run.ExitCode}, output: {made}");
        return run.ExitCode != 0;
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

    // With the time from the last signal to the end.
    private static (CliRun Run, TimeSpan After) Interrupted(
        string[] arguments, string work, string ofSignals, params (string Signal, int Moment)[] signals)
    {
        ProcessStartInfo start = new("env", [ofSignals, "dotnet", CliTool.Path, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["TMPDIR"] = work;
        Process process = Process.Start(start)!;

        // One shell sends all of them: to start a program for each takes longer than what lies between two.
        int[] pauses = [.. signals.Select((one, i) => one.Moment - (i == 0 ? 0 : signals[i - 1].Moment))];
        string script = string.Join("; ", signals.Zip(pauses, (one, pause) => FormattableString.Invariant($"sleep {pause / 1000.0}; kill -{one.Signal} {process.Id} 2>/dev/null")));
        using Process sender = Process.Start("bash", ["-c", script]);
        sender.WaitForExit();
        long last = Stopwatch.GetTimestamp();
        return (CliTool.Finish(process), Stopwatch.GetElapsedTime(last));
    }
}
