// SPDX-License-Identifier: MIT
// The tool's manners: exit codes, --json in any position, help, and a quick start.
using System.Diagnostics;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliUseTests
{
    public static TheoryData<string[]> WrongUses => new(
        [],
        ["bogus"],
        ["inspect"],
        ["inspect", "a", "b"],
        ["calibrate", "m", "-o", "t.json"],
        ["calibrate", "--text", "a.txt", "-o", "t.json"],
        ["calibrate", "m", "--text", "a.txt"],
        ["calibrate", "m", "--text", "a.txt", "--merge", "b", "-o", "t.json"],
        ["calibrate", "m", "--text", "a.txt", "--shard", "3/2", "-o", "t.json"],
        ["calibrate", "m", "--text", "a.txt", "--sparsity", "50", "-o", "t.json"],
        ["calibrate", "m", "--text", "a.txt", "--sparsity", "NaN", "-o", "t.json"],
        ["calibrate", "m", "--text", "a.txt", "--sparsity", "half", "-o", "t.json"],
        ["calibrate", "m", "--text", "a.txt", "--method", "row", "-o", "t.json"],
        ["calibrate", "m", "--text", "a.txt", "--max-tokens", "511", "-o", "t.json"],
        ["rewrite", "m", "-o", "out"],
        ["rewrite", "m", "--thresholds", "t.json"],
        ["rewrite", "m", "-o", "out", "--thresholds", "t.json", "--text", "a.txt"],
        ["rewrite", "m", "-o", "out", "--thresholds", "t.json", "--sparsity", "0.5"],
        ["rewrite", "m", "-o", "out", "--thresholds", "t.json", "--check", "maybe"],
        ["rewrite", "m", "-o", "out", "--thresholds", "t.json", "--rid", "linux-mips"],
        ["revert", "m"],
        ["eval", "m"],
        ["eval", "m", "--text", "a.txt", "--max-kl", "0.1"],
        ["eval", "m", "--text", "a.txt", "--threshold-scale", "-1"],
        ["generate", "m"],
        ["generate", "m", "--prompt"],
        ["generate", "m", "--prompt", "x", "--max-new-tokens", "0"],
        ["generate", "m", "--prompt", "x", "--prefill-threshold-scale", "NaN"],
        ["generate", "m", "--prompt", "x", "--dense-probe-every", "-1"],
        ["generate", "m", "--prompt", "x", "--prompt", "y", "--dense-probe-every", "4"],
        ["chat"],
        ["chat", "m", "--raw", "--system", "x"],
        ["chat", "m", "--raw", "--chat-template", "x"],
        ["chat", "m", "--top-p", "0"],
        ["chat", "m", "--top-k", "-1"],
        ["doctor", "a", "b"],
        ["doctor", "--device", "tpu"],
        ["make-model", "-o", "out"],
        ["make-model", "--shape", "gigantic", "-o", "out"],
        ["make-model", "--shape", "tiny", "--dtype", "int3", "-o", "out"]);

    [Theory]
    [MemberData(nameof(WrongUses))]
    public void Wrong_use_ends_with_1_and_one_line(string[] arguments)
    {
        CliRun run = CliTool.Run(arguments).Expect(1);
        Assert.Empty(run.Output);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--json", "inspect", "/nowhere/model.onnx")]
    [InlineData("inspect", "--json", "/nowhere/model.onnx")]
    [InlineData("inspect", "/nowhere/model.onnx", "--json")]
    public void Json_works_in_any_position_also_for_an_error(params string[] arguments)
    {
        CliRun run = CliTool.Run(arguments).Expect(2);
        Assert.Contains("/nowhere/model.onnx", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(2, run.Json.GetProperty("exit_code").GetInt32());
        Assert.Contains("/nowhere/model.onnx", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_use_with_json_is_one_document()
    {
        CliRun run = CliTool.Run("rewrite", "m", "--json").Expect(1);
        Assert.Equal(1, run.Json.GetProperty("exit_code").GetInt32());
    }

    [Fact]
    public void Help_names_every_verb_and_version_is_one_line()
    {
        string help = CliTool.Run("--help").Expect(0).Output;
        foreach (string verb in CliVerbs.All)
        {
            Assert.Contains($"\n  {verb} ", help, StringComparison.Ordinal);
            Assert.Contains("Usage:", CliTool.Run(verb, "--help").Expect(0).Output, StringComparison.Ordinal);
        }

        Assert.Matches(@"^\d+\.\d+\.\d+\S*\n$", CliTool.Run("--version").Expect(0).Output);
        Assert.NotEmpty(CliTool.Run("--help", "--json").Expect(0).Json.GetProperty("help").GetString()!);
    }

    [Fact]
    public void Starts_in_under_a_second()
    {
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            CliTool.Run("--version").Expect(0);
            best = watch.Elapsed < best ? watch.Elapsed : best;
        }

        Assert.True(best < TimeSpan.FromSeconds(1), $"cats --version took {best.TotalSeconds:0.00} s at best of 5.");
    }

    [Fact]
    public void A_stack_trace_is_shown_only_when_asked_for()
    {
        Assert.DoesNotContain("   at ", CliTool.Run("inspect", "/nowhere/model.onnx").Error, StringComparison.Ordinal);
        Assert.Contains("   at ", CliTool.RunAfter("export CATS_DEBUG=1", "inspect", "/nowhere/model.onnx").Error, StringComparison.Ordinal);
    }
}
