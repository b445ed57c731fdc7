// SPDX-License-Identifier: MIT
// cats rewrite and revert on the demo model: what the folder holds, what the options do, what is never touched.
using System.Text.Json;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliRewriteTests : IClassFixture<CliRewriteTests.DemoRewrite>
{
    private static readonly string[] CopiedFiles = ["model.onnx", "tokenizer.json", "tokenizer_config.json", "genai_config.json"];

    private readonly DemoRewrite _demo;

    public CliRewriteTests(DemoRewrite demo) => _demo = demo;

    /// <summary>The demo model rewritten once from text, for the tests that read it.</summary>
    public sealed class DemoRewrite : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public DemoRewrite()
        {
            Before = CliTool.Fingerprint(CliTool.DemoModel);
            Run = CliTool.Run(
                "rewrite", CliTool.DemoModel, "-o", Output, "--text", Path.Combine(CliTool.DemoModel, "calibrate.txt"),
                "--sparsity", "0.5", "--max-tokens", "4096", "--check", "on", "--json");
        }

        public string Before { get; }

        public string Output => _folder["rewritten"];

        internal CliRun Run { get; }

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void One_command_makes_a_complete_folder_and_leaves_the_input_alone()
    {
        JsonElement report = _demo.Run.Expect(0).Json;
        Assert.Equal(6, report.GetProperty("fused").GetInt32());
        Assert.Equal(0, report.GetProperty("refused").GetInt32());
        Assert.Equal("passed", report.GetProperty("check").GetProperty("status").GetString());
        foreach (string file in (string[])[.. CopiedFiles, "thresholds.json", "cats-report.json"])
        {
            Assert.True(File.Exists(Path.Combine(_demo.Output, file)), $"{file} is missing from the output");
        }

        Assert.Equal(_demo.Before, CliTool.Fingerprint(CliTool.DemoModel));
        Assert.Single(Directory.GetFileSystemEntries(Path.GetDirectoryName(_demo.Output)!));
    }

    [Fact]
    public void A_rewritten_model_is_inspected_as_fused()
    {
        JsonElement report = CliTool.Run("inspect", _demo.Output, "--json").Expect(0).Json;
        Assert.Equal(6, report.GetProperty("fused").GetInt32());
        Assert.Equal(0, report.GetProperty("fusable").GetInt32());
    }

    [Fact]
    public void Thresholds_of_one_run_give_the_same_model_in_another()
    {
        using TemporaryFolder folder = new();
        string again = folder["again"];
        CliTool.Run("rewrite", CliTool.DemoModel, "-o", again, "--thresholds", Path.Combine(_demo.Output, "thresholds.json"), "--check", "off").Expect(0);
        foreach (string file in Directory.GetFiles(_demo.Output, "model.onnx*"))
        {
            Assert.Equal(CliTool.Fingerprint(file), CliTool.Fingerprint(Path.Combine(again, Path.GetFileName(file))));
        }
    }

    [Fact]
    public void Revert_gives_a_model_that_is_fusable_again_and_says_the_same()
    {
        using TemporaryFolder folder = new();
        string reverted = folder["reverted"];
        CliTool.Run("revert", _demo.Output, "-o", reverted).Expect(0);
        JsonElement report = CliTool.Run("inspect", reverted, "--json").Expect(0).Json;
        Assert.Equal(6, report.GetProperty("fusable").GetInt32());
        Assert.Equal(0, report.GetProperty("fused").GetInt32());
        Assert.False(File.Exists(Path.Combine(reverted, "thresholds.json")));
        string[] prompt = ["--prompt", "The sea was", "--max-new-tokens", "24", "--json"];
        Assert.Equal(
            CliTool.Run(["generate", CliTool.DemoModel, .. prompt]).Expect(0).Json.GetProperty("ids").ToString(),
            CliTool.Run(["generate", reverted, .. prompt]).Expect(0).Json.GetProperty("ids").ToString());
    }

    [Fact]
    public void Rewriting_a_rewritten_model_with_its_thresholds_changes_nothing_and_says_so()
    {
        using TemporaryFolder folder = new();
        string again = folder["again"];
        CliRun run = CliTool.Run("rewrite", _demo.Output, "-o", again, "--thresholds", Path.Combine(_demo.Output, "thresholds.json"), "--check", "off").Expect(0);
        Assert.Contains("nothing", run.Output + run.Error, StringComparison.Ordinal);
        Assert.Equal(
            CliTool.Fingerprint(Path.Combine(_demo.Output, "model.onnx")), CliTool.Fingerprint(Path.Combine(again, "model.onnx")));
    }

    [Fact]
    public void The_unfused_form_costs_what_the_fused_one_costs()
    {
        using TemporaryFolder folder = new();
        string unfused = folder["unfused"];
        CliTool.Run(
            "rewrite", CliTool.DemoModel, "-o", unfused, "--unfused", "--thresholds", Path.Combine(_demo.Output, "thresholds.json"), "--check", "on").Expect(0);
        string[] eval = ["--text", Path.Combine(CliTool.DemoModel, "eval.txt"), "--max-tokens", "1024", "--json"];
        double fusedPerplexity = CliTool.Run(["eval", _demo.Output, .. eval]).Expect(0).Json.GetProperty("perplexity").GetDouble();
        double unfusedPerplexity = CliTool.Run(["eval", unfused, .. eval]).Expect(0).Json.GetProperty("perplexity").GetDouble();
        Assert.InRange(unfusedPerplexity / fusedPerplexity, .995, 1.005); // float16 rounds in other places
    }

    [Fact]
    public void An_existing_folder_is_refused_unless_overwrite_is_given()
    {
        using TemporaryFolder folder = new();
        string output = folder["out"];
        Directory.CreateDirectory(output);
        File.WriteAllText(Path.Combine(output, "mine.txt"), "keep me");
        string[] rewrite = ["rewrite", CliTool.DemoModel, "-o", output, "--thresholds", Path.Combine(_demo.Output, "thresholds.json"), "--check", "off"];
        CliRun refused = CliTool.Run(rewrite).Expect(2);
        Assert.Contains(output, refused.Error, StringComparison.Ordinal);
        Assert.Contains("--overwrite", refused.Error, StringComparison.Ordinal);
        Assert.Equal("keep me", File.ReadAllText(Path.Combine(output, "mine.txt")));
        CliTool.Run([.. rewrite, "--overwrite"]).Expect(0);
        Assert.True(File.Exists(Path.Combine(output, "model.onnx")));
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("inside")]
    [InlineData("..")]
    public void The_output_may_not_overlap_the_model(string below)
    {
        using TemporaryFolder folder = new();
        string model = folder.Copy(CliTool.DemoModel, "model");
        string before = CliTool.Fingerprint(model);
        string output = Path.Combine(model, below);
        CliRun run = CliTool.Run("rewrite", model, "-o", output, "--thresholds", Path.Combine(_demo.Output, "thresholds.json"), "--overwrite").Expect(1);
        Assert.Contains("model's", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, CliTool.Fingerprint(model));
    }

    [Fact]
    public void A_library_is_put_beside_a_genai_model_and_named_in_its_config()
    {
        Assert.True(File.Exists(Path.Combine(_demo.Output, "libcats_onnx.so")));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(_demo.Output, "genai_config.json")));
        Assert.Equal(
            "libcats_onnx.so",
            config.RootElement.GetProperty("model").GetProperty("decoder").GetProperty("session_options").GetProperty("custom_ops_library").GetString());
        using TemporaryFolder folder = new();
        string without = folder["without"];
        CliTool.Run(
            "rewrite", CliTool.DemoModel, "-o", without, "--rid", "none", "--check", "off", "--thresholds", Path.Combine(_demo.Output, "thresholds.json")).Expect(0);
        Assert.False(File.Exists(Path.Combine(without, "libcats_onnx.so")));
        Assert.DoesNotContain("custom_ops_library", File.ReadAllText(Path.Combine(without, "genai_config.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Ctrl_C_leaves_nothing_half_done()
    {
        using TemporaryFolder folder = new();
        string output = folder["out"];
        System.Diagnostics.Process process = CliTool.Start(
            "rewrite", CliTool.DemoModel, "-o", output, "--text", Path.Combine(CliTool.DemoModel, "calibrate.txt"), "--check", "on");
        Thread.Sleep(700);
        using (System.Diagnostics.Process kill = System.Diagnostics.Process.Start("kill", ["-INT", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        CliRun run = CliTool.Finish(process);
        Assert.True(run.ExitCode is 130 or 0, $"exit code {run.ExitCode}: {run.Error}");
        Assert.Equal(run.ExitCode == 0 ? 1 : 0, Directory.GetFileSystemEntries(folder.Path).Length);
    }
}
