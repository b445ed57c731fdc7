// SPDX-License-Identifier: MIT
// docs/tutorial.md tells the truth: its commands are run in its order, in a folder with its model and texts.
using System.Diagnostics;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd.Tutorial;

public sealed class TutorialTests(ITestOutputHelper log)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);

    [Fact]
    public async Task The_tutorials_commands_end_and_say_as_it_shows()
    {
        string page = File.ReadAllText(Path.Combine(SharedFiles.RepositoryRoot, "docs", "tutorial.md"));
        IReadOnlyList<TutorialStep> steps = TutorialPage.Read(page);
        Assert.Equal(Occurrences(page, "<!-- run"), steps.Count); // none is written so that it would not be found
        Assert.True(steps.Count >= 10, $"only {steps.Count} blocks are marked as run");

        if (TrainedModels.Unpack("llama-31m-optimum-fp32") is not ModelFolder model)
        {
            const string Message = "LEFT OUT the tutorial's commands: models/llama-31m-optimum-fp32.tar.xz is not in ../shared";
            Console.WriteLine(Message);
            Assert.Skip(Message);
            return;
        }

        using TemporaryFolder folder = new();
        Directory.CreateSymbolicLink(folder["llama-31m"], model.Root);
        File.CreateSymbolicLink(folder["calibrate.txt"], SharedFiles.Find("models", "text", "calibrate.txt")!);
        File.CreateSymbolicLink(folder["held-out.txt"], SharedFiles.Find("models", "text", "eval.txt")!);

        List<string> wrong = [];
        foreach (TutorialStep step in steps)
        {
            long start = Stopwatch.GetTimestamp();
            (int exitCode, string output) = await Run(step.Script, folder);
            log.WriteLine($"$ {step.Script}{output}[exit code {exitCode}, {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s]\n");
            Assert.True(exitCode == step.ExitCode, $"docs/tutorial.md: exit code {exitCode} instead of {step.ExitCode} of\n{step.Script}\n{output}");
            if (TutorialPage.Difference(step.Shown, output.TrimEnd('\n').Split('\n')) is string difference)
            {
                wrong.Add($"{step.Script}{difference}\n--- all of it\n{output}");
            }
        }

        Assert.True(wrong.Count == 0, "docs/tutorial.md shows other outputs than\n$ " + string.Join("\n$ ", wrong));
    }

    [Fact]
    public void Lines_that_are_missing_or_more_are_found()
    {
        string[] output = ["one 1", "two 2", "three 3"];
        Assert.Null(TutorialPage.Difference(["one 1", "two 2", "three 3"], output));
        Assert.Null(TutorialPage.Difference(["...", "two 2", "..."], output));
        Assert.Null(TutorialPage.Difference(["one 1", "...", "three 3"], output));
        Assert.Contains("real: two 2", TutorialPage.Difference(["one 1", "three 3"], output), StringComparison.Ordinal);
        Assert.Contains("real: three 3", TutorialPage.Difference(["one 1", "two 2"], output), StringComparison.Ordinal);
        Assert.Contains("nowhere", TutorialPage.Difference(["...", "three 3", "...", "two 2", "..."], output), StringComparison.Ordinal);
        Assert.Contains("no more lines", TutorialPage.Difference(["...", "three 3", "four 4"], output), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("scale 1  9 tokens/s  x1.23", "scale 1  212.0 tokens/s  x0.98", true)]
    [InlineData("scale 2  9 tokens/s  x1.23", "scale 1  212.0 tokens/s  x0.98", false)]
    [InlineData("| 50% | **1.173** |", "| 50% | **2** |", true)]
    [InlineData("perplexity   20.586   against 19.814", "perplexity  20.59  against 19.81", true)]
    [InlineData("perplexity   20.586", "perplexity   21.017", false)]
    [InlineData("sparsity -", "sparsity 0.0%", false)]
    [InlineData("7 fusable, 0 fused", "7 fusable, 1 fused", false)]
    [InlineData("24 tokens, 233.9 tokens/s, in 26 ms", "24 tokens, 9.1 tokens/s, in 260 ms", true)]
    [InlineData("24 tokens, 233.9 tokens/s, in 26 ms", "23 tokens, 233.9 tokens/s, in 26 ms", false)]
    [InlineData("ok  onnxruntime  1.31.1, with CPU...", "ok onnxruntime 1.31.1, with CPUExecutionProvider", true)]
    [InlineData("ok  onnxruntime  1.31.1, with CPU...", "ok onnxruntime 1.31.2, with CPUExecutionProvider", false)]
    [InlineData("| 50% | ... | no | ...", "| 50% | 71.9% | 1 | no | 5.161 |", true)]
    public void A_line_is_as_shown_where_words_and_numbers_are(string shown, string line, bool same) => Assert.Equal(same, TutorialPage.Matches(shown, line));

    [Fact]
    public void Blocks_are_found_with_their_exit_codes()
    {
        IReadOnlyList<TutorialStep> steps = TutorialPage.Read("a\n<!-- run -->\n```bash\none\n```\n```text\n1\n```\n```bash\nnot run\n```\n<!-- run, exit code 3 -->\n```bash\ntwo\n```\n```text\n2\n...\n```\n");
        Assert.Equal([("one\n", 0, "1"), ("two\n", 3, "2|...")], steps.Select(step => (step.Script, step.ExitCode, string.Join('|', step.Shown))));
    }

    private static int Occurrences(string text, string part) => text.Split(part).Length - 1;

    // Output and errors as a terminal shows them, with the folder's name taken out.
    private static async Task<(int ExitCode, string Output)> Run(string script, TemporaryFolder folder)
    {
        ProcessStartInfo start = new("bash", ["-c", $"exec 2>&1; set -e; cats() {{ dotnet '{CliTool.Path}' \"$@\"; }}\n{script}"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = folder.Path,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        using CancellationTokenSource limit = new(s_limit);
        try
        {
            string output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, output.Replace(folder.Path + "/", "", StringComparison.Ordinal));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"docs/tutorial.md: not ended within {s_limit}:\n{script}");
            throw;
        }
    }
}
