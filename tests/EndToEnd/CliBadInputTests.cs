// SPDX-License-Identifier: MIT
// Bad input to the tool: the error names it, nothing crashes, the input stays as it was, nothing is half written.
using System.Text.Json.Nodes;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliBadInputTests : IClassFixture<CliRewriteTests.DemoRewrite>
{
    private static readonly string CalibrationText = Path.Combine(CliTool.DemoModel, "calibrate.txt");

    private readonly string _sparse;

    public CliBadInputTests(CliRewriteTests.DemoRewrite demo) => _sparse = demo.Output;

    public static TheoryData<string> Verbs => new("inspect", "calibrate", "rewrite", "revert", "eval", "generate");

    [Theory]
    [MemberData(nameof(Verbs))]
    public void A_missing_model_is_named(string verb) => Refuses(verb, "missing", folder => folder["missing"]);

    [Theory]
    [MemberData(nameof(Verbs))]
    public void An_empty_model_file_is_named(string verb) => Refuses(verb, "model.onnx", folder => WithModel(folder, _ => []));

    [Theory]
    [MemberData(nameof(Verbs))]
    public void A_truncated_model_file_is_named(string verb) => Refuses(verb, "model.onnx", folder => WithModel(folder, bytes => bytes[..(bytes.Length / 2)]));

    [Theory]
    [MemberData(nameof(Verbs))]
    public void A_file_that_is_no_onnx_model_is_named(string verb) =>
        Refuses(verb, "model.onnx", folder => WithModel(folder, _ => "PK\u0003\u0004 this is a zip file, not a model"u8.ToArray()));

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Truncated_external_data_is_named(string verb) => Refuses(verb, "model.onnx.data", folder =>
    {
        string model = folder.Copy(CliTool.DemoModel, "model");
        using FileStream data = new(Path.Combine(model, "model.onnx.data"), FileMode.Open);
        data.SetLength(data.Length / 2);
        return model;
    });

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Missing_external_data_is_named(string verb) => Refuses(verb, "model.onnx.data", folder =>
    {
        string model = folder.Copy(CliTool.DemoModel, "model");
        File.Delete(Path.Combine(model, "model.onnx.data"));
        return model;
    });

    [Theory]
    [MemberData(nameof(Verbs))]
    public void External_data_outside_the_folder_is_refused(string verb) => Refuses(verb, "outside", folder =>
    {
        string model = folder.Copy(CliTool.DemoModel, "model");
        string data = Path.Combine(model, "model.onnx.data");
        File.Move(data, folder["elsewhere.data"]);
        File.CreateSymbolicLink(data, folder["elsewhere.data"]);
        return model;
    });

    [Theory]
    [MemberData(nameof(Verbs))]
    public void A_folder_without_a_model_is_named(string verb) => Refuses(verb, "empty-folder", folder =>
    {
        Directory.CreateDirectory(folder["empty-folder"]);
        return folder["empty-folder"];
    });

    [Fact]
    public void A_model_with_nothing_to_rewrite_is_read_and_refused()
    {
        string? gpt2 = Support.SharedFiles.Find("fixtures", "optimum21-past-gpt2", "model.onnx");
        if (gpt2 is null)
        {
            Assert.Skip("fixtures/optimum21-past-gpt2 is not stored here.");
        }

        Assert.Equal(0, CliTool.Run("inspect", gpt2, "--json").Expect(0).Json.GetProperty("fusable").GetInt32());
        using TemporaryFolder folder = new();
        CliTool.Run("rewrite", gpt2, "-o", folder["out"], "--thresholds", Path.Combine(_sparse, "thresholds.json")).Expect(2);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("NaN", "a number is NaN")]
    [InlineData("-0.5", "-0.5")]
    [InlineData("1e999", "thresholds.json")]
    [InlineData("\"high\"", "thresholds.json")]
    public void A_threshold_that_is_none_is_refused(string value, string named) => RefusesThresholds(
        named, text => System.Text.RegularExpressions.Regex.Replace(text, @"(""thresholds?"":\s*\[?\s*)[-+0-9.eE]+", "${1}" + value));

    [Fact]
    public void Thresholds_that_are_cut_off_are_refused() => RefusesThresholds("thresholds.json", text => text[..(text.Length / 2)]);

    [Fact]
    public void Thresholds_that_are_empty_are_refused() => RefusesThresholds("thresholds.json", _ => "");

    [Fact]
    public void Thresholds_of_an_unknown_version_are_refused() => RefusesThresholds("99", text =>
    {
        JsonObject document = JsonNode.Parse(text)!.AsObject();
        string key = document.Select(pair => pair.Key).First(name => name.Contains("version", StringComparison.Ordinal));
        document[key] = 99;
        return document.ToJsonString();
    });

    [Fact]
    public void Thresholds_with_a_layer_missing_are_refused() => RefusesThresholds("thresholds.json", text =>
    {
        JsonObject document = JsonNode.Parse(text)!.AsObject();
        document["layers"]!.AsArray().RemoveAt(3);
        return document.ToJsonString();
    });

    [Fact]
    public void Thresholds_of_another_model_are_refused()
    {
        using TemporaryFolder folder = new();
        CliTool.Run("make-model", "--shape", "tiny", "-o", folder["other"]).Expect(0);
        string before = CliTool.Fingerprint(folder["other"]);
        CliRun run = CliTool.Run("rewrite", folder["other"], "-o", folder["out"], "--thresholds", Path.Combine(_sparse, "thresholds.json")).Expect(2);
        Assert.Contains("thresholds.json", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, CliTool.Fingerprint(folder["other"]));
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("calibrate")]
    [InlineData("eval")]
    public void A_text_that_is_missing_short_or_binary_is_named(string verb)
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["short.txt"], "Too short.");
        File.WriteAllBytes(folder["binary.txt"], [0xff, 0xfe, 0x00, 0x9c, .. new byte[4096]]);
        foreach (string text in new[] { "missing.txt", "short.txt", "binary.txt" })
        {
            string[] output = verb == "calibrate" ? ["-o", folder["t.json"]] : [];
            CliRun run = CliTool.Run([verb, CliTool.DemoModel, "--text", folder[text], .. output]).Expect(2);
            Assert.Contains(text == "short.txt" ? "513" : text, run.Error, StringComparison.Ordinal);
        }

        Assert.False(File.Exists(folder["t.json"]));
    }

    [Fact]
    public void A_tokenizer_of_another_model_is_refused()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["tokenizer.json"], "{\"model\": {\"type\": \"Crystal\"}}");
        CliRun run = CliTool.Run("generate", CliTool.DemoModel, "--prompt", "x", "--tokenizer", folder["tokenizer.json"]).Expect(2);
        Assert.Contains("tokenizer", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rewrite")]
    [InlineData("revert")]
    [InlineData("make-model")]
    public void A_full_disk_ends_with_an_error_and_no_output(string verb)
    {
        using TemporaryFolder folder = new();
        string before = CliTool.Fingerprint(CliTool.DemoModel);
        string[] arguments = verb switch
        {
            "rewrite" => ["rewrite", CliTool.DemoModel, "-o", folder["out"], "--check", "off", "--thresholds", Path.Combine(_sparse, "thresholds.json")],
            "revert" => ["revert", _sparse, "-o", folder["out"]],
            _ => ["make-model", "--shape", "tiny", "-o", folder["out"]],
        };

        // 64 blocks of 1 KiB: the graph fits, the weights do not. (The runtime's own code pages are a file to the limit too.)
        CliRun run = CliTool.RunAfter("export DOTNET_EnableWriteXorExecute=0; ulimit -f 64", arguments).Expect(2);
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
        Assert.Equal(before, CliTool.Fingerprint(CliTool.DemoModel));
    }

    [Fact]
    public void A_killed_run_leaves_no_output_and_the_next_one_cleans_up()
    {
        using TemporaryFolder folder = new();
        string[] rewrite = ["rewrite", CliTool.DemoModel, "-o", folder["out"], "--check", "off", "--thresholds", Path.Combine(_sparse, "thresholds.json")];
        for (int delay = 100; delay <= 500; delay += 100)
        {
            System.Diagnostics.Process process = CliTool.Start(rewrite);
            Thread.Sleep(delay);
            process.Kill();
            CliTool.Finish(process);
            if (Directory.Exists(folder["out"]))
            {
                break;
            }
        }

        CliRun run = CliTool.Run([.. rewrite, "--overwrite"]).Expect(0);
        Assert.True(Directory.GetFileSystemEntries(folder.Path).Length == 1, string.Join('\n', Directory.GetFileSystemEntries(folder.Path)) + run.Error);
        Assert.Equal(CliTool.Fingerprint(Path.Combine(_sparse, "model.onnx")), CliTool.Fingerprint(Path.Combine(folder["out"], "model.onnx")));
    }

    private static string WithModel(TemporaryFolder folder, Func<byte[], byte[]> change)
    {
        string model = folder.Copy(CliTool.DemoModel, "model");
        string file = Path.Combine(model, "model.onnx");
        File.WriteAllBytes(file, change(File.ReadAllBytes(file)));
        return model;
    }

    private static void Refuses(string verb, string named, Func<TemporaryFolder, string> makeModel)
    {
        using TemporaryFolder folder = new();
        string model = makeModel(folder);
        string before = Directory.Exists(model) ? CliTool.Fingerprint(model) : "";
        int entries = Directory.GetFileSystemEntries(folder.Path).Length;
        string[] arguments = verb switch
        {
            "calibrate" => ["calibrate", model, "--text", CalibrationText, "-o", folder["t.json"]],
            "rewrite" => ["rewrite", model, "-o", folder["out"], "--text", CalibrationText],
            "revert" => ["revert", model, "-o", folder["out"]],
            "eval" => ["eval", model, "--text", CalibrationText],
            "generate" => ["generate", model, "--prompt", "x"],
            _ => ["inspect", model],
        };
        CliRun run = CliTool.Run(arguments).Expect(2);
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(named, run.Error, StringComparison.Ordinal);
        Assert.Equal(before, Directory.Exists(model) ? CliTool.Fingerprint(model) : "");
        Assert.Equal(entries, Directory.GetFileSystemEntries(folder.Path).Length);
    }

    private void RefusesThresholds(string named, Func<string, string> change)
    {
        using TemporaryFolder folder = new();
        string thresholds = folder["thresholds.json"];
        string text = File.ReadAllText(Path.Combine(_sparse, "thresholds.json"));
        string changed = change(text);
        Assert.NotEqual(text, changed);
        File.WriteAllText(thresholds, changed);
        CliRun run = CliTool.Run("rewrite", CliTool.DemoModel, "-o", folder["out"], "--thresholds", thresholds).Expect(2);
        Assert.Contains("thresholds.json", run.Error, StringComparison.Ordinal);
        Assert.Contains(named, run.Error, StringComparison.Ordinal);
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }
}
