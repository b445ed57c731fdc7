// SPDX-License-Identifier: MIT
// cats report on the demo model, dense and rewritten: the page is whole, loads nothing, and says what the tool measured.
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed partial class CliReportTests : IClassFixture<CliReportTests.DemoReport>
{
    private static readonly byte[] PngSignature = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];

    private readonly DemoReport _demo;

    public CliReportTests(DemoReport demo) => _demo = demo;

    /// <summary>One report on the dense demo model and on a rewritten one, for the tests that read it.</summary>
    public sealed class DemoReport : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public DemoReport()
        {
            Before = CliTool.Fingerprint(CliTool.DemoModel);
            CliTool.Run("rewrite", CliTool.DemoModel, "-o", Rewritten, "--text", Text, "--sparsity", "0.5", "--method", "neuron", "--max-tokens", "1024", "--check", "off").Expect(0);
            Run = CliTool.Run("report", CliTool.DemoModel, Rewritten, "-o", Output, "--text", Text, "--max-tokens", "1024", "--sparsity", "0.9", "0.5", "--json");
        }

        public static string Text => Path.Combine(CliTool.DemoModel, "eval.txt");

        public string Before { get; }

        public string Rewritten => _folder["rewritten"];

        public string Output => _folder["out", "report"];

        public string Page => File.ReadAllText(Path.Combine(Output, "index.html"));

        internal CliRun Run { get; }

        internal JsonElement Dense => Run.Expect(0).Json.GetProperty("models")[0];

        internal JsonElement Sparse => Run.Expect(0).Json.GetProperty("models")[1];

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void The_folder_holds_the_page_and_a_PNG_for_every_chart_and_the_models_are_as_before()
    {
        string[] files = [.. _demo.Run.Expect(0).Json.GetProperty("files").EnumerateArray().Select(file => file.GetString()!)];
        Assert.Equal(files.Order(StringComparer.Ordinal), Directory.GetFileSystemEntries(_demo.Output).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Superset(
            new HashSet<string>(["index.html", "perplexity.png", "speed.png", "demo-layers.png", "demo-gates-00.png", "demo-gates-05.png", "rewritten-layers.png", "rewritten-thresholds.png", "rewritten-gates-05.png"]),
            new HashSet<string>(files));
        Assert.All(files.Where(file => file != "index.html"), file => Assert.True(
            File.ReadAllBytes(Path.Combine(_demo.Output, file)).AsSpan().StartsWith(PngSignature), $"{file} is no PNG"));
        Assert.Single(Directory.GetFileSystemEntries(Path.GetDirectoryName(_demo.Output)!));
        Assert.Equal(_demo.Before, CliTool.Fingerprint(CliTool.DemoModel));
    }

    [Fact]
    public void The_page_is_well_formed_and_loads_nothing()
    {
        XElement page = Parse(_demo.Page);
        Assert.DoesNotContain(page.Descendants(), element => element.Name.LocalName is "script" or "link" or "iframe" or "object" or "embed");
        XAttribute[] loads = [.. page.Descendants().Attributes().Where(attribute => attribute.Name.LocalName is "src" or "srcset" or "href" or "data")];
        Assert.All(loads, load => Assert.StartsWith("data:image/png;base64,", load.Value, StringComparison.Ordinal));
        Assert.All(loads, load => Assert.True(Convert.FromBase64String(load.Value["data:image/png;base64,".Length..]).AsSpan().StartsWith(PngSignature)));
        string style = page.Descendants("style").Single().Value;
        Assert.DoesNotContain("url(", style, StringComparison.Ordinal);
        Assert.DoesNotContain("@import", style, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme: dark", style, StringComparison.Ordinal);
        Assert.DoesNotMatch(Address(), _demo.Page);
        int charts = _demo.Run.Json.GetProperty("files").GetArrayLength() - 1;
        Assert.Equal(charts, page.Descendants("img").Count());
        Assert.All(page.Descendants("img"), image => Assert.NotEmpty(image.Attribute("alt")!.Value));
        Assert.Equal(charts, page.Descendants("source").Count(source => source.Attribute("media")!.Value == "(prefers-color-scheme: dark)"));
    }

    [Fact]
    public void Every_section_has_its_numbers_and_the_commands_that_give_them()
    {
        string text = Parse(_demo.Page).Value;
        foreach (JsonElement model in new[] { _demo.Dense, _demo.Sparse })
        {
            foreach (JsonElement point in model.GetProperty("quality").EnumerateArray())
            {
                Has(text, point.GetProperty("perplexity"), "0.000");
                Has(text, point.GetProperty("next_token_accuracy"), "0.0000");
                Assert.All(point.GetProperty("sparsity_per_layer").EnumerateArray(), layer => Assert.Contains(Percent(layer), text, StringComparison.Ordinal));
                Assert.Contains(point.GetProperty("command").GetString()!, text, StringComparison.Ordinal);
            }

            foreach (JsonElement point in model.GetProperty("speed").EnumerateArray())
            {
                Has(text, point.GetProperty("tokens_per_second"), "0.0");
                Has(text, point.GetProperty("speedup"), "0.00");
                Assert.Contains(point.GetProperty("command").GetString()!, text, StringComparison.Ordinal);
            }

            foreach (JsonElement cut in model.GetProperty("thresholds").EnumerateArray().SelectMany(layer => layer.GetProperty("cuts").EnumerateArray()))
            {
                Has(text, cut.GetProperty("threshold"), "0.######");
            }

            Assert.All(model.GetProperty("mlps").EnumerateArray(), mlp => Assert.Contains(mlp.GetProperty("name").GetString()!, text, StringComparison.Ordinal));
            Assert.Empty(model.GetProperty("missing").EnumerateObject());
        }

        Assert.Contains(_demo.Run.Json.GetProperty("command").GetString()!, text, StringComparison.Ordinal);
    }

    [Fact]
    public void Thresholds_cut_off_what_they_were_asked_to()
    {
        Assert.Equal(["dense", "50%", "90%"], Settings(_demo.Dense, "quality"));
        Assert.Equal(["scale 0", "scale 0.5", "scale 1", "scale 1.5"], Settings(_demo.Sparse, "quality"));
        foreach (JsonElement layer in _demo.Dense.GetProperty("thresholds").EnumerateArray())
        {
            Assert.Equal([.5, .9], layer.GetProperty("cuts").EnumerateArray().Select(cut => Math.Round(cut.GetProperty("below").GetDouble(), 3)));
        }

        // The rewritten model was calibrated for half of the neurons on this very text.
        Assert.All(_demo.Sparse.GetProperty("thresholds").EnumerateArray(), layer =>
            Assert.Equal(.5, layer.GetProperty("cuts")[1].GetProperty("below").GetDouble(), .005));
    }

    [Fact]
    public void The_commands_on_the_page_give_its_perplexities()
    {
        string[] common = ["--text", DemoReport.Text, "--max-tokens", "1024", "--json"];
        JsonElement dense = CliTool.Run(["eval", CliTool.DemoModel, .. common]).Expect(0).Json;
        Near(dense, _demo.Dense.GetProperty("quality")[0], 1e-6);
        JsonElement scaled = CliTool.Run(["eval", _demo.Rewritten, "--threshold-scale", "1.5", .. common]).Expect(0).Json;
        Near(scaled, _demo.Sparse.GetProperty("quality")[3], 1e-6);

        // In memory the page's sparse model is the unfused form, whose float16 steps round otherwise.
        using TemporaryFolder folder = new();
        CliTool.Run(["rewrite", CliTool.DemoModel, "-o", folder["sparse"], "--sparsity", "0.5", "--method", "layer", .. common]).Expect(0);
        Near(CliTool.Run(["eval", folder["sparse"], .. common]).Expect(0).Json, _demo.Dense.GetProperty("quality")[1], .01);
    }

    [GeneratedRegex(@"https?:|ftp:", RegexOptions.IgnoreCase)]
    private static partial Regex Address();

    private static XElement Parse(string page)
    {
        using XmlReader reader = XmlReader.Create(new StringReader(page), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XElement.Load(reader);
    }

    private static string[] Settings(JsonElement model, string part) =>
        [.. model.GetProperty(part).EnumerateArray().Select(point => point.GetProperty("setting").GetString()!)];

    private static void Near(JsonElement expected, JsonElement actual, double tolerance)
    {
        double perplexity = expected.GetProperty("perplexity").GetDouble();
        Assert.Equal(perplexity, actual.GetProperty("perplexity").GetDouble(), tolerance * perplexity);
    }

    private static void Has(string text, JsonElement number, string format) =>
        Assert.Contains(number.GetDouble().ToString(format, CultureInfo.InvariantCulture), text, StringComparison.Ordinal);

    private static string Percent(JsonElement share) => (share.GetDouble() * 100).ToString("0.0", CultureInfo.InvariantCulture) + "%";
}
