// SPDX-License-Identifier: MIT
// cats calibrate, eval, generate and make-model on the demo model: JSON shapes, limits, shards.
using System.Text.Json;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliModelTests : IClassFixture<CliRewriteTests.DemoRewrite>
{
    private static readonly string CalibrationText = Path.Combine(CliTool.DemoModel, "calibrate.txt");
    private static readonly string EvalText = Path.Combine(CliTool.DemoModel, "eval.txt");

    private readonly string _sparse;

    public CliModelTests(CliRewriteTests.DemoRewrite demo) => _sparse = demo.Output;

    [Theory]
    [InlineData("layer")]
    [InlineData("neuron")]
    public void Shards_merged_are_the_whole_text(string method)
    {
        using TemporaryFolder folder = new();
        string[] calibrate = ["calibrate", CliTool.DemoModel, "--text", CalibrationText, "--max-tokens", "4096", "--sparsity", "0.7", "--method", method];
        CliTool.Run([.. calibrate, "-o", folder["whole.json"]]).Expect(0);
        for (int part = 1; part <= 3; part++)
        {
            CliTool.Run([.. calibrate, "--shard", $"{part}/3", "-o", folder[$"{part}.shard"]]).Expect(0);
        }

        JsonElement merged = CliTool.Run(
            "calibrate", "--merge", folder["3.shard"], folder["1.shard"], folder["2.shard"], "-o", folder["merged.json"], "--json").Expect(0).Json;
        Assert.Equal(6, merged.GetProperty("layers").GetInt32());
        Assert.Equal(Thresholds(folder["whole.json"]), Thresholds(folder["merged.json"]));
        CliRun incomplete = CliTool.Run("calibrate", "--merge", folder["3.shard"], folder["1.shard"], "-o", folder["incomplete.json"]).Expect(2);
        Assert.Contains("shards 2 of 3", incomplete.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(folder["incomplete.json"]));
    }

    [Theory]
    [InlineData("layer")]
    [InlineData("neuron")]
    public void Either_method_meets_the_sparsity_it_was_asked_for(string method)
    {
        using TemporaryFolder folder = new();
        string output = folder["out"];
        CliTool.Run(
            "rewrite", CliTool.DemoModel, "-o", output, "--text", CalibrationText, "--sparsity", "0.7", "--method", method, "--max-tokens", "8192").Expect(0);
        JsonElement result = CliTool.Run("eval", output, "--text", CalibrationText, "--max-tokens", "8192", "--json").Expect(0).Json;
        Assert.InRange(result.GetProperty("sparsity").GetDouble(), .69, .71);
        Assert.Equal(6, result.GetProperty("sparsity_per_layer").GetArrayLength());
    }

    [Fact]
    public void Eval_says_every_figure_and_passes_or_fails_by_the_limits()
    {
        string[] eval = ["eval", _sparse, "--text", EvalText, "--max-tokens", "4096", "--against", CliTool.DemoModel, "--json"];
        JsonElement result = CliTool.Run([.. eval, "--max-kl", "1", "--max-perplexity-ratio", "1.5"]).Expect(0).Json;
        Assert.Equal(4096, result.GetProperty("tokens").GetInt64());
        foreach (string key in new[] { "perplexity", "next_token_accuracy", "choice_accuracy", "sparsity", "kl", "top1_agreement" })
        {
            Assert.Equal(JsonValueKind.Number, result.GetProperty(key).ValueKind);
        }

        Assert.InRange(result.GetProperty("kl").GetDouble(), 1e-4, .2);
        Assert.InRange(result.GetProperty("top1_agreement").GetDouble(), .7, .9999);

        CliRun beyondKl = CliTool.Run([.. eval, "--max-kl", "0.0001"]).Expect(3);
        Assert.Contains("0.0001", beyondKl.Error, StringComparison.Ordinal);
        Assert.Equal(4096, beyondKl.Json.GetProperty("tokens").GetInt64());
        CliTool.Run([.. eval, "--max-perplexity-ratio", "1.0001"]).Expect(3);
    }

    [Fact]
    public void Threshold_scale_0_is_the_dense_model()
    {
        string[] text = ["--text", EvalText, "--max-tokens", "1024", "--json"];
        JsonElement dense = CliTool.Run(["eval", CliTool.DemoModel, .. text]).Expect(0).Json;
        JsonElement scaled = CliTool.Run(["eval", _sparse, "--threshold-scale", "0", .. text]).Expect(0).Json;
        Assert.InRange(scaled.GetProperty("perplexity").GetDouble() / dense.GetProperty("perplexity").GetDouble(), .998, 1.002);
        Assert.InRange(scaled.GetProperty("sparsity").GetDouble(), 0, 1e-9);
    }

    [Fact]
    public void Generate_says_text_ids_speed_and_sparsity()
    {
        JsonElement run = CliTool.Run("generate", _sparse, "--prompt", "The old man", "--max-new-tokens", "16", "--json").Expect(0).Json;
        Assert.NotEmpty(run.GetProperty("text").GetString()!);
        Assert.InRange(run.GetProperty("ids").GetArrayLength(), 1, 16);
        Assert.Equal(run.GetProperty("ids").GetArrayLength(), run.GetProperty("tokens").GetInt32());
        Assert.True(run.GetProperty("tokens_per_second").GetDouble() > 0);
        Assert.InRange(run.GetProperty("sparsity").GetDouble(), .3, .7);

        Assert.Equal((0, JsonValueKind.Null), (run.GetProperty("dense_probes").GetInt32(), run.GetProperty("kl").ValueKind));
        JsonElement probed = CliTool.Run(
            "generate", _sparse, "--prompt", "The old man", "--max-new-tokens", "16", "--dense-probe-every", "5", "--prefill-threshold-scale", "1", "--json").Expect(0).Json;
        Assert.Equal((run.GetProperty("text").GetString(), 3), (probed.GetProperty("text").GetString(), probed.GetProperty("dense_probes").GetInt32()));
        Assert.InRange(probed.GetProperty("kl").GetDouble(), 1e-6, 5);
        Assert.InRange(probed.GetProperty("top1_agreement").GetDouble(), 0, 1);
        CliRun text = CliTool.Run("generate", _sparse, "--prompt", "The old man", "--max-new-tokens", "16", "--ids").Expect(0);
        Assert.Contains(run.GetProperty("text").GetString()!, text.Output, StringComparison.Ordinal);
        Assert.Contains(string.Join(' ', run.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())), text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_from_several_prompts_gives_what_each_gives_alone_in_their_order()
    {
        string[] prompts = ["The old man", "Once upon a time there was a young man who", "She"];
        string[] all = ["generate", _sparse, .. prompts.SelectMany(prompt => (string[])["--prompt", prompt]), "--max-new-tokens", "16", "--ids"];
        JsonElement batch = CliTool.Run([.. all, "--json"]).Expect(0).Json;
        CliRun text = CliTool.Run(all).Expect(0);
        Assert.Equal(1, batch.GetProperty("groups").GetInt32());
        Assert.Equal(JsonValueKind.Null, batch.GetProperty("groups_reason").ValueKind);
        Assert.True(batch.GetProperty("tokens_per_second").GetDouble() > 0);
        JsonElement[] results = [.. batch.GetProperty("results").EnumerateArray()];
        Assert.Equal(prompts, results.Select(result => result.GetProperty("prompt").GetString()));
        int at = 0;
        foreach (JsonElement result in results)
        {
            string prompt = result.GetProperty("prompt").GetString()!;
            JsonElement alone = CliTool.Run("generate", _sparse, "--prompt", prompt, "--max-new-tokens", "16", "--json").Expect(0).Json;
            Assert.Equal(alone.EnumerateObject().Select(property => property.Name), result.EnumerateObject().Select(property => property.Name));
            foreach (string name in (string[])["text", "ids", "finish_reason", "prompt_tokens", "tokens"])
            {
                Assert.True(JsonElement.DeepEquals(alone.GetProperty(name), result.GetProperty(name)), $"{name} of {prompt}");
            }

            string line = prompt + result.GetProperty("text").GetString() + "\nids: " + string.Join(' ', result.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
            Assert.True((at = text.Output.IndexOf(line, at, StringComparison.Ordinal)) >= 0, text.Output);
        }
    }

    [Theory]
    [InlineData("fp32")]
    [InlineData("fp16")]
    [InlineData("bf16")]
    public void A_made_model_can_be_inspected_and_is_the_same_for_the_same_seed(string dtype)
    {
        using TemporaryFolder folder = new();
        string[] make = ["make-model", "--shape", "tiny", "--dtype", dtype, "--seed", "7", "-o"];
        CliTool.Run([.. make, folder["a"], "--json"]).Expect(0);
        CliTool.Run([.. make, folder["b"]]).Expect(0);
        Assert.Equal(CliTool.Fingerprint(folder["a"]), CliTool.Fingerprint(folder["b"]));
        Assert.True(CliTool.Run("inspect", folder["a"], "--json").Expect(0).Json.GetProperty("fusable").GetInt32() > 0);
        CliRun refused = CliTool.Run([.. make, folder["a"]]).Expect(2);
        Assert.Contains(folder["a"], refused.Error, StringComparison.Ordinal);
    }

    private static string Thresholds(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
        return document.RootElement.GetProperty("layers").ToString();
    }
}
