// SPDX-License-Identifier: MIT
// --json in every verb: standard output is JSON and nothing else, also where the verb has warnings and notes.
using System.Text.Json;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliJsonTests(CliRewriteTests.DemoRewrite demo) : IClassFixture<CliRewriteTests.DemoRewrite>
{
    // A field that a person who asked for this verb looks for.
    private static readonly Dictionary<string, string> s_fields = new()
    {
        ["inspect"] = "fusable",
        ["calibrate"] = "sparsity_per_layer",
        ["rewrite"] = "check",
        ["revert"] = "folder",
        ["eval"] = "perplexity",
        ["generate"] = "ids",
        ["make-model"] = "hidden_size",
        ["chat"] = "text",
        ["bench"] = "decode",
        ["report"] = "files",
        ["doctor"] = "findings",
        ["demo"] = "mlp",
        ["completion"] = "script",
    };

    [Fact]
    public void Every_verb_gives_json_and_nothing_else()
    {
        Assert.Equal(CliVerbs.All, s_fields.Keys.Order(StringComparer.Ordinal));
        using TemporaryFolder folder = new();
        foreach ((string verb, string field) in s_fields)
        {
            string[] lines = verb == "chat" ? ["Once upon a time"] : [];
            CliRun run = CliTool.RunWithInput(lines, [.. CliVerbs.SmallRun(verb, demo.Output, folder[verb]), "--json"]).Expect(0);
            Assert.True(run.Json.ValueKind == JsonValueKind.Object && run.Json.TryGetProperty(field, out _), $"{verb}: {run.Output}");
        }
    }
}
