// SPDX-License-Identifier: MIT
// One stored export with what its fixture.json says of it.
using System.Text.Json;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Conformance;

/// <summary>A fixture's graph.</summary>
/// <param name="Name">Folder and, where it holds several, file.</param>
/// <param name="Folder">The fixture's folder.</param>
/// <param name="ModelPath">The graph.</param>
/// <param name="Expected">Number of gated SiLU MLPs in it.</param>
/// <param name="Acceptable">Every number fused that is right.</param>
/// <param name="Inputs">Input files with what PyTorch computes for them.</param>
public sealed record ExporterFixture(
    string Name, string Folder, string ModelPath, int Expected, IReadOnlyList<int> Acceptable, IReadOnlyList<(string Inputs, string Expected)> Inputs)
{
    /// <summary>Every fixture that is here; prints how many are not.</summary>
    public static IReadOnlyList<ExporterFixture> All { get; } = Load();

    /// <summary>The names, for theories.</summary>
    public static TheoryData<string> Names => [.. All.Select(fixture => fixture.Name)];

    /// <summary>The fixture of a name.</summary>
    public static ExporterFixture Get(string name) => All.First(fixture => fixture.Name == name);

    private static List<ExporterFixture> Load()
    {
        List<ExporterFixture> found = [];
        string root = SharedFiles.Find("fixtures") ?? throw new DirectoryNotFoundException("There are no fixtures in ../shared or tests/assets.");
        foreach (string description in Directory.GetFiles(root, "fixture.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string folder = Path.GetDirectoryName(description)!;
            using JsonDocument json = JsonDocument.Parse(File.ReadAllText(description));
            string name = Path.GetFileName(folder);
            if (json.RootElement.TryGetProperty("graphs", out JsonElement graphs))
            {
                foreach (JsonProperty graph in graphs.EnumerateObject())
                {
                    string suffix = graph.Value.GetProperty("inputs").GetString()!["inputs".Length..];
                    found.Add(Of($"{name}.{Path.GetFileNameWithoutExtension(graph.Name)}", folder, Path.Combine(folder, graph.Name), graph.Value, [suffix]));
                }
            }
            else
            {
                found.Add(Of(name, folder, Path.Combine(folder, "model.onnx"), json.RootElement, [".npz"]));
            }
        }

        if (SharedFiles.SharedRoot is null)
        {
            Console.WriteLine($"LEFT OUT fixtures that are only in ../shared: {found.Count} of 64 graphs are here");
        }

        return found;
    }

    private static ExporterFixture Of(string name, string folder, string model, JsonElement json, string[] suffixes)
    {
        List<(string, string)> inputs = [];
        foreach (string suffix in suffixes)
        {
            foreach (string kind in new[] { "", "_decode", "_prefill" })
            {
                string input = Path.Combine(folder, $"inputs{kind}{suffix}");
                string expected = Path.Combine(folder, $"expected{kind}.npz");
                if (File.Exists(input) && File.Exists(expected))
                {
                    inputs.Add((input, expected));
                }
            }
        }

        return new ExporterFixture(
            name, folder, model, json.GetProperty("mlp_count_expected").GetInt32(),
            [.. json.GetProperty("mlp_count_acceptable").EnumerateArray().Select(count => count.GetInt32())], inputs);
    }
}
