// SPDX-License-Identifier: MIT
// A report's numbers as the JSON document of the run.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Report;

internal static class ReportDocumentJson
{
    public static JsonObject Of(string folder, string command, IReadOnlyList<string> files, IReadOnlyList<ModelFindings> models) => new()
    {
        ["folder"] = folder,
        ["command"] = command,
        ["files"] = Texts(files),
        ["models"] = new JsonArray([.. models.Select(Of)]),
    };

    private static JsonObject Of(ModelFindings model)
    {
        JsonObject document = ReportDocument.Of(model.Report);
        document["model"] = model.Path;
        document["rewritten"] = model.Rewritten;
        document["method"] = model.Method;
        document["tokens"] = model.Tokens;
        document["quality"] = new JsonArray([.. model.Quality.Select(point => new JsonObject
        {
            ["setting"] = point.Label,
            ["sparsity"] = ToolOutput.Number(point.Sparsity),
            ["perplexity"] = ToolOutput.Number(point.Perplexity),
            ["next_token_accuracy"] = ToolOutput.Number(point.Accuracy),
            ["sparsity_per_layer"] = Numbers(point.Layers),
            ["command"] = point.Command,
        })]);
        document["thresholds"] = new JsonArray([.. model.Gates.Select(layer => new JsonObject
        {
            ["layer"] = layer.Name,
            ["cuts"] = new JsonArray([.. layer.Cuts.Select(cut => new JsonObject { ["setting"] = cut.Label, ["threshold"] = cut.Value, ["below"] = cut.Below })]),
        })]);
        document["speed"] = new JsonArray([.. model.Speed.Select(point => new JsonObject
        {
            ["setting"] = point.Label,
            ["sparsity"] = ToolOutput.Number(point.Sparsity),
            ["tokens_per_second"] = ToolOutput.Number(point.TokensPerSecond),
            ["dense_tokens_per_second"] = ToolOutput.Number(point.Baseline),
            ["speedup"] = ToolOutput.Number(point.Ratio),
            ["speedup_quartiles"] = Numbers([point.Quartiles.Lower, point.Quartiles.Upper]),
            ["command"] = point.Command,
        })]);
        document["missing"] = new JsonObject(model.Missing.Select(entry =>
            KeyValuePair.Create(entry.Key.ToString().ToLowerInvariant(), (JsonNode?)JsonValue.Create(entry.Value))));
        return document;
    }

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)text)]);

    private static JsonArray Numbers(IEnumerable<double> values) => new([.. values.Select(value => ToolOutput.Number(value))]);
}
