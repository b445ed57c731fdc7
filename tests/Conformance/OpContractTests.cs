// SPDX-License-Identifier: MIT
// The operators are described three times: by the library (CatsDescribeOps), by the rewriter (OpSchemas) and for people
// (docs/op-spec.md). The three say the same.
using System.Text.Json;
using System.Text.RegularExpressions;
using CatsOnnx.GraphRewriter;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Conformance;

public sealed class OpContractTests
{
    private static readonly JsonElement Library = JsonDocument.Parse(CatsOps.Describe()).RootElement;

    private static readonly string Specification =
        File.ReadAllText(Path.Combine(SharedFiles.RepositoryRoot, "docs", "op-spec.md"));

    [Fact]
    public void The_domain_and_its_version_are_one()
    {
        Assert.Equal(OpSchemas.Domain, Library.GetProperty("domain").GetString());
        Assert.Equal(OpSchemas.Version, Library.GetProperty("opset").GetInt32());
        Assert.Contains($"`{OpSchemas.Domain}`, version {OpSchemas.Version}", Specification, StringComparison.Ordinal);
    }

    [Fact]
    public void Library_and_rewriter_know_the_same_operators() =>
        Assert.Equal(
            Library.GetProperty("ops").EnumerateArray().Select(op => op.GetProperty("name").GetString()!).Order(StringComparer.Ordinal),
            OpSchemas.All.Select(schema => schema.Name).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("SparseGatedMlp")]
    [InlineData("SkipRMSNormSparseGatedMlp")]
    [InlineData("CatsThreshold")]
    [InlineData("GateObserver")]
    public void Inputs_outputs_and_attributes_are_the_same_in_all_three(string name)
    {
        JsonElement op = Library.GetProperty("ops").EnumerateArray().Single(op => op.GetProperty("name").GetString() == name);
        OpSchema schema = OpSchemas.All.Single(schema => schema.Name == name);

        Assert.Equal(Names(op, "inputs"), schema.Inputs);
        Assert.Equal(Names(op, "outputs"), schema.Outputs);
        Assert.Equal(Names(op, "attributes"), schema.Attributes);
        Assert.Equal(
            op.GetProperty("inputs").EnumerateArray().Count(input => !input.GetProperty("optional").GetBoolean()), schema.RequiredInputs);

        string section = Section(name);
        foreach (string term in (string[])[.. schema.Inputs, .. schema.Outputs, .. schema.Attributes])
        {
            Assert.True(Regex.IsMatch(section, $@"\b{Regex.Escape(term)}\b"), $"docs/op-spec.md, section {name}, does not mention {term}.");
        }
    }

    [Theory]
    [InlineData("SparseGatedMlp")]
    [InlineData("SkipRMSNormSparseGatedMlp")]
    [InlineData("CatsThreshold")]
    [InlineData("GateObserver")]
    public void Every_operator_has_a_CPU_kernel_for_each_type(string name)
    {
        JsonElement op = Library.GetProperty("ops").EnumerateArray().Single(op => op.GetProperty("name").GetString() == name);
        IEnumerable<string?> types = op.GetProperty("kernels").EnumerateArray()
            .Where(kernel => kernel.GetProperty("device").GetString() == "cpu").Select(kernel => kernel.GetProperty("dtype").GetString());
        Assert.Equal(["bfloat16", "float", "float16"], types.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Values_of_attributes_stand_in_the_specification()
    {
        foreach (JsonElement op in Library.GetProperty("ops").EnumerateArray())
        {
            string section = Section(op.GetProperty("name").GetString()!);
            foreach (JsonElement attribute in op.GetProperty("attributes").EnumerateArray())
            {
                foreach (string list in (string[])["implemented", "reserved"])
                {
                    foreach (JsonElement value in attribute.GetProperty(list).EnumerateArray())
                    {
                        Assert.Contains($"\"{value.GetString()}\"", section, StringComparison.Ordinal);
                    }
                }
            }
        }
    }

    private static IEnumerable<string> Names(JsonElement op, string list) =>
        op.GetProperty(list).EnumerateArray().Select(item => item.GetProperty("name").GetString()!);

    private static string Section(string name)
    {
        Match section = Regex.Match(Specification, $@"^## {name}$(.*?)(?=^## |\z)", RegexOptions.Multiline | RegexOptions.Singleline);
        Assert.True(section.Success, $"docs/op-spec.md has no section '## {name}'.");
        return section.Groups[1].Value;
    }
}
