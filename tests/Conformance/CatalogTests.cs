// SPDX-License-Identifier: MIT
// Lists and files agree: every form has a file of its name and a line in the catalog; C# and native schemas are the same.
using System.Text.Json;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Patterns;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Conformance;

public sealed class CatalogTests
{
    [Theory]
    [InlineData("Linear", "Linear")]
    [InlineData("Silu", "Silu")]
    [InlineData("GatedProduct", "Glu|SiluMul")]
    [InlineData("GateUp", "GateUp")]
    public void Every_form_is_a_file_and_a_line_of_the_catalog(string folder, string endings)
    {
        IEnumerable<object> forms = folder switch
        {
            "Linear" => PatternCatalog.Linears,
            "Silu" => PatternCatalog.Silus,
            "GatedProduct" => PatternCatalog.GatedProducts,
            _ => PatternCatalog.GateUps,
        };
        string[] listed = [.. forms.Select(form => form.GetType().Name).Order(StringComparer.Ordinal)];
        string[] suffixes = endings.Split('|');
        string[] files = [.. Directory.EnumerateFiles(Path.Combine(SharedFiles.RepositoryRoot, "GraphRewriter", "Patterns", folder), "*.cs")
            .Where(file => File.ReadAllText(file).Contains("internal sealed class", StringComparison.Ordinal))
            .Select(file => Path.GetFileNameWithoutExtension(file)!)
            .Order(StringComparer.Ordinal)];
        Assert.Equal(files, listed);
        Assert.All(listed, name => Assert.Contains(suffixes, suffix => name.EndsWith(suffix, StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_sampling_rule_is_a_line_of_the_chain()
    {
        string folder = Path.Combine(SharedFiles.RepositoryRoot, "Managed", "CatsOnnx.Host", "Sampling");
        string chain = File.ReadAllText(Path.Combine(folder, "SamplerChain.cs"));
        string[] rules = [.. Directory.EnumerateFiles(folder, "*.cs")
            .Where(file => File.ReadAllText(file) is string text && (text.Contains(") : ISamplingRule", StringComparison.Ordinal) || text.Contains(") : IPenalty", StringComparison.Ordinal)))
            .Select(file => Path.GetFileNameWithoutExtension(file)!)];
        Assert.True(rules.Length >= 7, $"{rules.Length} rules");
        Assert.All(rules, rule => Assert.Contains($" {rule}.From(options),", chain, StringComparison.Ordinal));
    }

    [Fact]
    public void The_library_has_the_operators_that_the_rewriter_writes()
    {
        using JsonDocument description = JsonDocument.Parse(CatsOps.Describe());
        string text = description.RootElement.GetRawText();
        foreach (OpSchema schema in OpSchemas.All)
        {
            Assert.Contains($"\"{schema.Name}\"", text, StringComparison.Ordinal);
            JsonElement op = description.RootElement.GetProperty("ops").EnumerateArray().Single(op => op.GetProperty("name").GetString() == schema.Name);
            Assert.Equal(schema.Inputs, op.GetProperty("inputs").EnumerateArray().Select(input => input.ValueKind == JsonValueKind.String ? input.GetString()! : input.GetProperty("name").GetString()!));
            Assert.Equal(schema.Outputs, op.GetProperty("outputs").EnumerateArray().Select(output => output.ValueKind == JsonValueKind.String ? output.GetString()! : output.GetProperty("name").GetString()!));
        }
    }

    [Fact]
    public void Every_fixture_has_an_expected_text()
    {
        string folder = Path.Combine(SharedFiles.RepositoryRoot, "tests", "Conformance", "expected");
        Assert.All(ExporterFixture.All, fixture => Assert.True(File.Exists(Path.Combine(folder, $"{fixture.Name}.txt")), fixture.Name));
    }
}
