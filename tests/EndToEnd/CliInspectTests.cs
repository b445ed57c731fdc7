// SPDX-License-Identifier: MIT
// cats inspect on the demo model and on every stored exporter graph.
using System.Text.Json;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliInspectTests
{
    [Fact]
    public void The_demo_model_has_six_fusable_mlps()
    {
        JsonElement report = CliTool.Run("inspect", CliTool.DemoModel, "--json").Expect(0).Json;
        Assert.Equal(6, report.GetProperty("fusable").GetInt32());
        Assert.Equal(0, report.GetProperty("fused").GetInt32());
        Assert.Equal(0, report.GetProperty("refused").GetInt32());
        Assert.Equal(6, report.GetProperty("mlps").GetArrayLength());
        foreach (JsonElement mlp in report.GetProperty("mlps").EnumerateArray())
        {
            Assert.Equal("fusable", mlp.GetProperty("status").GetString());
            Assert.Equal(192, mlp.GetProperty("hidden_size").GetInt32());
            Assert.Equal(512, mlp.GetProperty("intermediate_size").GetInt32());
            foreach (string key in new[] { "name", "reason", "node", "dtype", "form" })
            {
                Assert.True(mlp.TryGetProperty(key, out _), $"'{key}' is missing from {mlp}");
            }
        }

        CliRun text = CliTool.Run("inspect", Path.Combine(CliTool.DemoModel, "model.onnx")).Expect(0);
        Assert.Contains("fusable", text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_stored_graph_gives_a_report_with_a_count_that_its_fixture_accepts()
    {
        string root = SharedFiles.Find("fixtures") ?? throw new InvalidOperationException("No fixtures are stored.");
        List<string> faults = [];
        int seen = 0;
        foreach (string folder in Directory.GetDirectories(root).Where(folder => File.Exists(Path.Combine(folder, "fixture.json"))))
        {
            string model = Directory.GetFiles(folder, "model.onnx", SearchOption.AllDirectories).First();
            using JsonDocument fixture = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "fixture.json")));
            int[] accepted = [.. fixture.RootElement.GetProperty("mlp_count_acceptable").EnumerateArray().Select(count => count.GetInt32())];
            CliRun run = CliTool.Run("inspect", model, "--json");
            seen++;
            if (run.ExitCode != 0)
            {
                faults.Add($"{folder}: exit code {run.ExitCode}, {run.Error.Trim()}");
                continue;
            }

            int fusable = run.Json.GetProperty("fusable").GetInt32();
            bool reasons = run.Json.GetProperty("mlps").EnumerateArray()
                .Where(mlp => mlp.GetProperty("status").GetString() == "refused")
                .All(mlp => mlp.GetProperty("reason").GetString() is { Length: > 0 });
            if (!accepted.Contains(fusable) || !reasons)
            {
                faults.Add($"{Path.GetFileName(folder)}: {fusable} fusable, accepted are {string.Join(" or ", accepted)}; every refused one has a reason: {reasons}");
            }
        }

        Assert.True(seen > 0, $"{root} holds no fixture.json.");
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }
}
