// SPDX-License-Identifier: MIT
// cats rewrite of a model with a weight that is NaN or infinite: that layer is refused and the tensor named; the rest is
// rewritten, or nothing where --require-all asks for every layer.
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliNonFiniteWeightTests
{
    [Theory]
    [InlineData("gate_proj", 0x7e00)]
    [InlineData("down_proj", 0xfc00)]
    public void The_tensor_is_named_and_require_all_refuses_the_model(string projection, int bits)
    {
        using TemporaryFolder folder = new();
        string model = folder.Copy(CliTool.DemoModel, "model");
        string tensor = Poison(model, projection, (ushort)bits);
        string before = CliTool.Fingerprint(model);
        string thresholds = folder["thresholds.json"];
        WriteThresholds(model, thresholds);
        string[] rewrite = ["rewrite", model, "-o", folder["out"], "--thresholds", thresholds, "--check", "off"];

        CliRun all = CliTool.Run([.. rewrite, "--require-all"]).Expect(2);
        Assert.Contains(tensor, all.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["out"]));

        CliRun some = CliTool.Run([.. rewrite, "--json"]).Expect(0);
        Assert.Equal((5, 1), (some.Json.GetProperty("fused").GetInt32(), some.Json.GetProperty("refused").GetInt32()));
        Assert.Contains(tensor, some.Error, StringComparison.Ordinal);
        Assert.Equal(before, CliTool.Fingerprint(model));
        Assert.Equal(3, Directory.GetFileSystemEntries(folder.Path).Length);
    }

    // Sets one element in the middle of the third layer's weights.
    private static string Poison(string model, string projection, ushort bits)
    {
        ModelProto proto = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(model, "model.onnx")));
        TensorProto tensor = proto.Graph.Initializer.First(
            candidate => candidate.Name.Contains($"layers.2.mlp.{projection}", StringComparison.Ordinal) && candidate.Dims.Count == 2);
        long Entry(string key) => long.Parse(tensor.ExternalData.First(entry => entry.Key == key).Value, System.Globalization.CultureInfo.InvariantCulture);
        using FileStream data = new(Path.Combine(model, "model.onnx.data"), FileMode.Open, FileAccess.ReadWrite);
        data.Position = Entry("offset") + (Entry("length") / 4 * 2);
        data.Write(BitConverter.GetBytes(bits));
        return tensor.Name;
    }

    // Calibration cannot run on such a model: thresholds as for any model of this graph.
    private static void WriteThresholds(string model, string path)
    {
        GraphRewriter.RewriteReport report = GraphRewriter.ModelRewriter.Inspect(GraphRewriter.Model.OnnxModel.Load(Path.Combine(model, "model.onnx")));
        File.WriteAllText(path, GraphRewriter.Thresholds.ThresholdTable.Uniform(report, 0.02f).ToJson());
    }
}
