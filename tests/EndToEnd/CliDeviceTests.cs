// SPDX-License-Identifier: MIT
// --device on a machine without a GPU, and cats bench on the CPU.
using System.Text.Json;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliDeviceTests
{
    private static readonly string s_text = Path.Combine(CliTool.DemoModel, "calibrate.txt");

    public static TheoryData<string> Verbs => ["generate", "chat", "eval", "calibrate", "rewrite", "bench", "demo"];

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Without_a_gpu_each_verb_says_what_is_missing_and_leaves_nothing(string verb)
    {
        Assert.SkipWhen(CudaMachine.Lacks is null, "there is a GPU");
        using TemporaryFolder folder = new();
        string[] more = verb switch
        {
            "generate" => [CliTool.DemoModel, "--prompt", "Once"],
            "chat" => [CliTool.DemoModel, "--raw"],
            "calibrate" => [CliTool.DemoModel, "--text", s_text, "--max-tokens", "512", "-o", folder["out.json"]],
            "rewrite" => [CliTool.DemoModel, "--text", s_text, "--sparsity", "0.5", "-o", folder["out"]],
            "eval" => [CliTool.DemoModel, "--text", s_text],
            "bench" => ["--shape", "tiny", "--work", folder.Path],
            _ => [],
        };
        CliRun run = CliTool.Run([verb, .. more, "--device", "cuda"]).Expect(2);
        Assert.Contains("CUDAExecutionProvider", run.Error, StringComparison.Ordinal);
        Assert.Contains("Microsoft.ML.OnnxRuntime.Gpu", run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("tpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("gpu:0")]
    public void A_device_that_is_none_is_wrong_use(string device)
    {
        CliRun run = CliTool.Run("generate", CliTool.DemoModel, "--prompt", "Once", "--device", device).Expect(1);
        Assert.Contains($"'{device}'", run.Error, StringComparison.Ordinal);
        Assert.Contains("cuda:N", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Bench_gives_a_table_and_the_same_as_json()
    {
        using TemporaryFolder folder = new();
        string[] bench = ["bench", "--shape", "tiny", "--sparsity", "0.5", "0.9", "--rows", "1", "2", "--prefill", "64", "--steps", "8", "--work", folder.Path];
        JsonElement result = CliTool.Run([.. bench, "--json"]).Expect(0).Json;
        JsonElement[] rows = [.. result.GetProperty("decode").EnumerateArray()];
        Assert.Equal([(0.5, 1), (0.5, 2), (0.9, 1), (0.9, 2)], rows.Select(row => (row.GetProperty("target_sparsity").GetDouble(), row.GetProperty("rows").GetInt32())));
        Assert.All(rows, row =>
        {
            Assert.Equal(row.GetProperty("target_sparsity").GetDouble(), row.GetProperty("sparsity").GetDouble(), 0.06);
            Assert.True(row.GetProperty("dense_ms").GetDouble() > 0);
            Assert.True(row.GetProperty("speedup").GetDouble() > 0);
        });
        long dense = result.GetProperty("mlp_bytes").GetInt64();
        Assert.Equal(3L * 256 * 688 * 4, dense);
        Assert.Equal(dense * (1 + (2 * (1 - rows[0].GetProperty("sparsity").GetDouble()))) / 3, rows[0].GetProperty("mlp_bytes").GetDouble(), 1);
        Assert.Equal(JsonValueKind.Null, rows[1].GetProperty("mlp_bytes").ValueKind); // the union of several sequences is not known
        Assert.True(result.GetProperty("read_ceiling_bytes_per_second").GetDouble() > 1e9);
        Assert.Equal(64, result.GetProperty("prefill")[0].GetProperty("tokens").GetInt32());

        CliRun table = CliTool.Run(bench).Expect(0);
        Assert.Contains("| sparsity |", table.Output, StringComparison.Ordinal);
        Assert.Contains("| 90% |", table.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("exclude each other", "models/demo", "--shape", "tiny")]
    [InlineData("give MODEL", "--steps", "8")]
    [InlineData("'1.5'", "--shape", "tiny", "--sparsity", "1.5")]
    [InlineData("'0'", "--shape", "tiny", "--rows", "0")]
    [InlineData("--dtype goes with --shape", "models/demo", "--dtype", "fp16")]
    public void Bench_names_wrong_use(string named, params string[] arguments)
    {
        CliRun run = CliTool.Run(["bench", .. arguments]).Expect(1);
        Assert.Contains(named, run.Error, StringComparison.Ordinal);
    }
}
