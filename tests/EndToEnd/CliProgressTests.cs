// SPDX-License-Identifier: MIT
// Long work shows how far it is on a terminal, and nothing where standard error is none.
using System.Diagnostics;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliProgressTests(CliRewriteTests.DemoRewrite demo) : IClassFixture<CliRewriteTests.DemoRewrite>
{
    [Theory]
    [InlineData("calibrate", "reading text", "calibrating", "tokens/s")]
    [InlineData("rewrite", "checking against the source")]
    [InlineData("revert", "writing")]
    [InlineData("eval", "evaluating", "tokens/s")]
    [InlineData("make-model", "making tiny", "%")]
    [InlineData("chat", "opening the model")]
    [InlineData("bench", "making tiny", "calibrating", "rewriting", "opening the model", "timing 50%, 1 rows", "timing a prompt of 4")]
    [InlineData("report", "timing 30%, 1 rows")]
    [InlineData("doctor", "checking files", "opening the model")]
    public void A_terminal_sees_what_is_done_and_a_file_does_not(string verb, params string[] seen)
    {
        using TemporaryFolder folder = new();
        CliRun quiet = CliTool.RunWithInput([], CliVerbs.SmallRun(verb, demo.Output, folder["quiet"])).Expect(0);
        Assert.DoesNotContain('\u001b', quiet.Output + quiet.Error);
        Assert.All(seen.Where(word => word.Contains(' ', StringComparison.Ordinal)), word => Assert.DoesNotContain(word, quiet.Error, StringComparison.Ordinal));

        // util-linux's script gives a terminal; standard error alone is on it, as where a result goes to a file.
        string command = string.Join(' ', (string[])["dotnet", CliTool.Path, .. CliVerbs.SmallRun(verb, demo.Output, folder["seen"]), "</dev/null", ">/dev/null"]);
        ProcessStartInfo start = new("script", ["-qec", command, "/dev/null"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["TERM"] = "xterm-256color";
        start.Environment["COLUMNS"] = "160";
        string shown = CliTool.Finish(Process.Start(start)!).Expect(0).Output;
        Assert.All(seen, word => Assert.Contains(word, shown, StringComparison.Ordinal));
    }
}
