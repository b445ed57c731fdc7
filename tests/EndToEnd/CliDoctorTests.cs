// SPDX-License-Identifier: MIT
// cats doctor: what it finds on this machine, and in models that are whole, damaged, or of another version.
using System.Text.Json;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliDoctorTests(CliRewriteTests.DemoRewrite demo) : IClassFixture<CliRewriteTests.DemoRewrite>
{
    [Fact]
    public void The_machine_is_described_with_its_memory_measured()
    {
        JsonElement result = CliTool.Run("doctor", "--json").Expect(0).Json;
        Assert.Equal(0, result.GetProperty("problems").GetInt32());
        Assert.Matches(@"^1\.\d+\.\d+", result.GetProperty("onnxruntime").GetProperty("version").GetString());
        Assert.Contains("CPUExecutionProvider", result.GetProperty("onnxruntime").GetProperty("providers").EnumerateArray().Select(one => one.GetString()));
        JsonElement library = result.GetProperty("library");
        Assert.EndsWith("libcats_onnx.so", library.GetProperty("path").GetString(), StringComparison.Ordinal);
        Assert.Contains(library.GetProperty("isa").GetString(), library.GetProperty("isas").EnumerateArray().Select(one => one.GetString()));
        Assert.True(library.GetProperty("floor_api").GetInt32() <= library.GetProperty("built_api").GetInt32());
        Assert.True(result.GetProperty("read_bytes_per_second").GetDouble() > 1e9);
        Assert.Equal(JsonValueKind.Null, result.GetProperty("model").ValueKind);
        foreach (JsonElement finding in result.GetProperty("findings").EnumerateArray())
        {
            Assert.Contains(finding.GetProperty("level").GetString(), (string[])["ok", "note"]);
            Assert.False(string.IsNullOrEmpty(finding.GetProperty("found").GetString()));
        }
    }

    [Fact]
    public void Without_measuring_it_says_so()
    {
        CliRun run = CliTool.Run("doctor", "--no-measure").Expect(0);
        Assert.Contains("not measured", run.Output, StringComparison.Ordinal);
        Assert.Contains("no problem was found", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_gpu_that_was_asked_for_each_missing_part_is_a_problem_with_a_remedy()
    {
        Assert.SkipWhen(CudaMachine.Lacks is null, "there is a GPU");
        JsonElement result = CliTool.Run("doctor", CliTool.DemoModel, "--device", "cuda", "--no-measure", "--json").Expect(2).Json;
        JsonElement[] problems = [.. Problems(result)];
        Assert.Equal(result.GetProperty("problems").GetInt32(), problems.Length);
        Assert.All(problems, problem => Assert.False(string.IsNullOrEmpty(problem.GetProperty("todo").GetString())));
        Assert.Contains(problems, problem => problem.GetProperty("what").GetString() == "session");
        Assert.False(result.GetProperty("model").GetProperty("opens").GetBoolean());
    }

    [Fact]
    public void A_rewritten_model_is_whole_and_its_nodes_run_on_the_library()
    {
        JsonElement result = CliTool.Run("doctor", demo.Output, "--no-measure", "--json").Expect(0).Json;
        JsonElement model = result.GetProperty("model");
        Assert.Equal("GenAI", model.GetProperty("layout").GetString());
        Assert.Equal(["float16"], model.GetProperty("dtypes").EnumerateArray().Select(dtype => dtype.GetString()));
        Assert.Equal((0, 6, 0), (model.GetProperty("fusable").GetInt32(), model.GetProperty("fused").GetInt32(), model.GetProperty("refused").GetInt32()));
        Assert.Equal(result.GetProperty("library").GetProperty("version").GetString(), model.GetProperty("library_version").GetString());
        Assert.Equal("libcats_onnx.so", model.GetProperty("library_beside").GetString());
        Assert.True(model.GetProperty("library_intact").GetBoolean());
        Assert.Equal(0, model.GetProperty("files_changed").GetInt32());
        Assert.True(model.GetProperty("opens").GetBoolean());
        Assert.Equal((6, 0), (model.GetProperty("cats_nodes").GetProperty("cpu").GetInt32(), model.GetProperty("cats_nodes").GetProperty("cuda").GetInt32()));
    }

    [Fact]
    public void A_dense_model_is_no_problem_and_is_told_how_to_become_sparse()
    {
        JsonElement result = CliTool.Run("doctor", CliTool.DemoModel, "--no-measure", "--json").Expect(0).Json;
        Assert.Equal(6, result.GetProperty("model").GetProperty("fusable").GetInt32());
        JsonElement mlps = Assert.Single(result.GetProperty("findings").EnumerateArray(), finding => finding.GetProperty("what").GetString() == "mlps");
        Assert.Equal("note", mlps.GetProperty("level").GetString());
        Assert.Contains("cats rewrite", mlps.GetProperty("todo").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_flipped_bit_of_library_or_weights_is_a_problem_and_an_edited_configuration_a_note()
    {
        using TemporaryFolder folder = new();
        string copy = folder.Copy(demo.Output, "copy");
        Flip(Path.Combine(copy, "libcats_onnx.so"));
        Flip(Path.Combine(copy, "model.onnx.data"));
        File.AppendAllText(Path.Combine(copy, "genai_config.json"), "\n");
        File.Delete(Path.Combine(copy, "SOURCES.md"));
        JsonElement result = CliTool.Run("doctor", copy, "--no-measure", "--json").Expect(2).Json;
        Assert.Equal(
            ["libcats_onnx.so", "model.onnx.data"],
            Problems(result).Select(problem => problem.GetProperty("found").GetString()!.Split(' ')[0]));
        Assert.False(result.GetProperty("model").GetProperty("library_intact").GetBoolean());
        Assert.Equal(4, result.GetProperty("model").GetProperty("files_changed").GetInt32());
        Assert.Contains(result.GetProperty("findings").EnumerateArray(), finding => finding.GetProperty("found").GetString() == "SOURCES.md is missing");
    }

    [Fact]
    public void A_model_of_a_newer_version_is_a_problem()
    {
        using TemporaryFolder folder = new();
        string copy = folder.Copy(demo.Output, "copy");
        string path = Path.Combine(copy, "model.onnx");
        OnnxModel model = OnnxModel.Load(path);
        model.Proto.MetadataProps.Single(entry => entry.Key == "cats.library_version").Value = "99.0.0";
        File.WriteAllBytes(path, model.ToBytes());
        File.Delete(Path.Combine(copy, "cats-manifest.json"));
        JsonElement result = CliTool.Run("doctor", copy, "--no-measure", "--json").Expect(2).Json;
        JsonElement problem = Assert.Single(Problems(result));
        Assert.Equal("versions", problem.GetProperty("what").GetString());
        Assert.Contains("99.0.0", problem.GetProperty("found").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_is_nowhere_is_a_problem_beside_the_other_findings()
    {
        CliRun run = CliTool.Run("doctor", "/nowhere/model", "--no-measure").Expect(2);
        Assert.Contains("/nowhere/model", run.Output, StringComparison.Ordinal);
        Assert.Contains("1 problem was found", run.Output, StringComparison.Ordinal);
        Assert.Contains("onnxruntime", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("export CATS_ONNX_LIBRARY=/nowhere/libcats_onnx.so", "library", "/nowhere/libcats_onnx.so")]
    [InlineData("export CATS_ONNX_LIBRARY=/etc/passwd", "library", "/etc/passwd")]
    [InlineData("export CATS_FORCE_ISA=sse9", "cpu kernels", "sse9")]
    public void What_a_variable_breaks_is_named(string setting, string what, string named)
    {
        JsonElement result = CliTool.RunAfter(setting, "doctor", demo.Output, "--no-measure", "--json").Expect(2).Json;
        JsonElement problem = Problems(result).First();
        Assert.Equal(what, problem.GetProperty("what").GetString());
        Assert.Contains(named, problem.GetProperty("found").GetString(), StringComparison.Ordinal);
    }

    private static IEnumerable<JsonElement> Problems(JsonElement result) =>
        result.GetProperty("findings").EnumerateArray().Where(finding => finding.GetProperty("level").GetString() == "problem");

    private static void Flip(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = stream.Length / 2;
        int value = stream.ReadByte();
        stream.Position--;
        stream.WriteByte((byte)(value ^ 1));
    }
}
