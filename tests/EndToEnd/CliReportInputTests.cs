// SPDX-License-Identifier: MIT
// cats report: what it refuses, what it leaves behind then (nothing), and what it says where something cannot be shown.
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliReportInputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<int, string[]> Refusals => new()
    {
        { 1, ["report"] },
        { 1, ["report", "DEMO"] },
        { 1, ["report", "-o", "OUT"] },
        { 1, ["report", "DEMO", "-o", "OUT", "--sparsity", "50"] },
        { 1, ["report", "DEMO", "-o", "OUT", "--sparsity", "0"] },
        { 1, ["report", "DEMO", "-o", "OUT", "--method", "row"] },
        { 1, ["report", "DEMO", "-o", "OUT", "--max-tokens", "1024"] },
        { 1, ["report", "DEMO", "-o", "OUT", "--device", "tpu"] },
        { 1, ["report", "DEMO", "-o", "DEMO/report"] },
        { 1, ["report", "DEMO", "-o", "DEMO", "--overwrite"] },
        { 2, ["report", "DEMO", "/nowhere", "-o", "OUT"] },
        { 2, ["report", "DEMO", "-o", "OUT", "--text", "/nowhere.txt"] },
        { 2, ["report", "DEMO", "-o", "OUT", "--text", "SHORT"] },
        { 2, ["report", "DEMO", "-o", "OUT", "--text", "TEXT", "--tokenizer", "/nowhere"] },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Refusals))]
    public void Bad_input_is_one_line_and_leaves_nothing_behind(int exitCode, string[] arguments)
    {
        string shortText = _folder["short.txt"];
        File.WriteAllText(shortText, "Too short to fill a window.\n");
        string before = CliTool.Fingerprint(CliTool.DemoModel);
        CliRun run = CliTool.Run([.. arguments.Select(argument => argument
            .Replace("DEMO", CliTool.DemoModel, StringComparison.Ordinal)
            .Replace("OUT", _folder["out"], StringComparison.Ordinal)
            .Replace("SHORT", shortText, StringComparison.Ordinal)
            .Replace("TEXT", Path.Combine(CliTool.DemoModel, "eval.txt"), StringComparison.Ordinal))]).Expect(exitCode);
        Assert.Empty(run.Output);
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.Equal([shortText], Directory.GetFileSystemEntries(_folder.Path));
        Assert.Equal(before, CliTool.Fingerprint(CliTool.DemoModel));
    }

    [Fact]
    public void A_full_folder_is_replaced_whole_and_only_when_asked()
    {
        string output = Directory.CreateDirectory(_folder["out"]).FullName;
        File.WriteAllText(Path.Combine(output, "mine.txt"), "mine");
        Assert.Contains("--overwrite", CliTool.Run("report", CliTool.DemoModel, "-o", output).Expect(2).Error, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(output, "mine.txt")));
        CliTool.Run("report", CliTool.DemoModel, "-o", output, "--sparsity", "0.5", "--overwrite").Expect(0);
        Assert.Equal(["index.html", "speed.png"], Directory.GetFiles(output).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_text_inside_the_output_folder_is_not_overwritten()
    {
        string output = Directory.CreateDirectory(_folder["out"]).FullName;
        string text = Path.Combine(output, "text.txt");
        File.Copy(Path.Combine(CliTool.DemoModel, "eval.txt"), text);
        CliTool.Run("report", CliTool.DemoModel, "-o", output, "--text", text, "--overwrite").Expect(2);
        Assert.True(File.Exists(text));
    }

    [Fact]
    public void Without_a_text_the_page_says_what_is_missing_and_how_to_get_it()
    {
        string rewritten = _folder["rewritten"];
        CliTool.Run("rewrite", CliTool.DemoModel, "-o", rewritten, "--text", Path.Combine(CliTool.DemoModel, "eval.txt"), "--max-tokens", "1024", "--check", "off").Expect(0);
        string[] files = [.. CliTool.Run("report", rewritten, "-o", _folder["out"], "--json").Expect(0).Json
            .GetProperty("files").EnumerateArray().Select(file => file.GetString()!)];
        Assert.Equal(["index.html", "speed.png", "rewritten-layers.png", "rewritten-thresholds.png"], files);
        string page = File.ReadAllText(_folder["out", "index.html"]);
        Assert.Contains("--text FILE", page, StringComparison.Ordinal);
        Assert.Contains("thresholds.json", page, StringComparison.Ordinal);

        // Also where only the graph has the thresholds.
        File.Delete(Path.Combine(rewritten, "thresholds.json"));
        CliTool.Run("report", rewritten, "-o", _folder["bare"]).Expect(0);
        Assert.True(File.Exists(_folder["bare", "rewritten-thresholds.png"]));
        Assert.Contains("cats.threshold.N", File.ReadAllText(_folder["bare", "index.html"]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_stays_dense_is_reported_with_the_reasons()
    {
        if (SharedFiles.Find("fixtures", "dynamo-nocache-gemma2") is not { } model)
        {
            Assert.Skip("LEFT OUT report of a refused model: fixtures/dynamo-nocache-gemma2 is neither in ../shared nor in tests/assets.");
            return;
        }

        string reason = CliTool.Run("inspect", model, "--json").Expect(0).Json.GetProperty("mlps")[0].GetProperty("reason").GetString()!;
        CliTool.Run("report", model, "-o", _folder["out"]).Expect(0);
        string page = System.Net.WebUtility.HtmlDecode(File.ReadAllText(_folder["out", "index.html"]));
        Assert.Contains(reason, page, StringComparison.Ordinal);
        Assert.Contains("class=\"refused\"", page, StringComparison.Ordinal);
    }
}
