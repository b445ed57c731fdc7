// SPDX-License-Identifier: MIT
// Observations of shards: adding them up, writing and reading them.
using CatsOnnx.Calibration;

namespace CatsOnnx.Tests.Unit.Calibration;

public sealed class GateObservationsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cats-shards-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Shards_add_up_to_the_whole_in_any_order()
    {
        GateObservations whole = GateObservations.Merge([Shard(3, 3), Shard(1, 3), Shard(2, 3)]);
        Assert.True(whole.IsComplete);
        Assert.Equal([1, 2, 3], whole.Parts);
        Assert.Equal(30, whole.Layers[0].Tokens);
        Assert.Equal(120, whole.Layers[0].Histogram.Total);
        long[] expected = new long[GateHistogram.BinCount];
        foreach (int part in new[] { 1, 2, 3 })
        {
            ReadOnlySpan<long> counts = Shard(part, 3).Layers[0].Histogram.Counts;
            for (int bin = 0; bin < expected.Length; bin++)
            {
                expected[bin] += counts[bin];
            }
        }

        Assert.Equal(expected, whole.Layers[0].Histogram.Counts.ToArray());
    }

    [Fact]
    public void Part_of_the_shards_is_not_complete()
        => Assert.False(GateObservations.Merge([Shard(1, 3), Shard(3, 3)]).IsComplete);

    [Fact]
    public void A_shard_given_twice_is_refused_by_number()
        => Assert.Contains("2/3", Assert.Throws<InvalidDataException>(() => GateObservations.Merge([Shard(1, 3), Shard(2, 3), Shard(2, 3)])).Message);

    [Fact]
    public void Shards_of_different_runs_are_refused_with_both_values()
    {
        Refused(Shard(2, 3) with { ModelHash = "other" }, "model hash", "abc", "other");
        Refused(Shard(2, 3) with { TextSha256 = "other" }, "text SHA-256", "def", "other");
        Refused(Shard(2, 3) with { Sparsity = 0.25 }, "sparsity", "0.5", "0.25");
        Refused(Shard(2, 3) with { Method = "layer" }, "method", "neuron", "layer");
        Refused(Shard(2, 4), "number of shards", "3", "4");
        Refused(Shard(2, 3) with { Layers = [] }, "number of layers", "1", "0");
        Refused(Shard(2, 3) with { Layers = [Layer(2, name: "other")] }, "mlp.0", "other");
        Refused(Shard(2, 3) with { Layers = [Layer(2, weight: 1.6f)] }, "neuron 3", "1.6");

        static void Refused(GateObservations other, params string[] named)
        {
            string message = Assert.Throws<InvalidDataException>(() => GateObservations.Merge([Shard(1, 3), other])).Message;
            Assert.All(named, part => Assert.Contains(part, message));
        }
    }

    [Fact]
    public void A_shard_file_holds_everything()
    {
        string path = Path.Combine(_folder.FullName, "shard.json");
        GateObservations shard = Shard(2, 3);
        ShardFile.Save(shard, path);
        GateObservations read = ShardFile.Load(path);
        Assert.Equal(shard with { Layers = [], Parts = [] }, read with { Layers = [], Parts = [] });
        Assert.Equal(shard.Parts, read.Parts);
        LayerObservations layer = Assert.Single(read.Layers);
        Assert.Equal(shard.Layers[0].Name, layer.Name);
        Assert.Equal(shard.Layers[0].Tokens, layer.Tokens);
        Assert.Equal(shard.Layers[0].Weights.ToArray(), layer.Weights.ToArray());
        Assert.Equal(shard.Layers[0].Histogram.Counts.ToArray(), layer.Histogram.Counts.ToArray());
        Assert.Equal([path], Directory.GetFiles(_folder.FullName));
    }

    [Theory]
    [InlineData("", "JSON")]
    [InlineData("{}", "required")]
    [InlineData("null", "null")]
    [InlineData("\"kind\": \"cats-calibration-shard\"|\"kind\": \"thresholds\"", "thresholds")]
    [InlineData("\"schema_version\": 1|\"schema_version\": 2", "version 2")]
    [InlineData("\"sparsity\": 0.5|\"sparsity\": 1.5", "1.5")]
    [InlineData("\"method\": \"neuron\"|\"method\": \"column\"", "column")]
    [InlineData("\"shards\": 3|\"shards\": 1", "1 to 1")]
    [InlineData("\"tokens\": 10|\"tokens\": 11", "44")]
    [InlineData("\"intermediate_size\": 4|\"intermediate_size\": 5", "50")]
    [InlineData("\"counts\": \"|\"counts\": \"AAAA", "counts")]
    [InlineData("\"weights\": \"AAAAAA|\"weights\": \"AACA/w", "finite")]
    [InlineData("\"weights\": \"AAAA|\"weights\": \"", "weights")]
    [InlineData("\"weights\": \"|\"weights\": \"!", "Base-64")]
    [InlineData("\"name\": \"mlp.0\"|\"name\": null", "name")]
    [InlineData("\"name\": \"mlp.0\"|\"nome\": \"mlp.0\"", "nome")]
    public void A_broken_shard_file_is_refused_with_its_path(string change, string named)
    {
        string path = Path.Combine(_folder.FullName, "shard.json");
        ShardFile.Save(Shard(2, 3), path);
        string text = File.ReadAllText(path);
        string[] parts = change.Split('|');
        string broken = parts.Length == 2 ? text.Replace(parts[0], parts[1]) : change;
        Assert.NotEqual(text, broken);
        File.WriteAllText(path, broken);
        string message = Assert.Throws<InvalidDataException>(() => ShardFile.Load(path)).Message;
        Assert.Contains(path, message);
        Assert.Contains(named, message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_truncated_shard_file_is_refused_at_every_length()
    {
        string path = Path.Combine(_folder.FullName, "shard.json");
        ShardFile.Save(Shard(2, 3), path);
        byte[] bytes = File.ReadAllBytes(path);
        for (int length = 0; length < bytes.Length - 1; length += 7)
        {
            File.WriteAllBytes(path, bytes[..length]);
            Assert.Throws<InvalidDataException>(() => ShardFile.Load(path));
        }
    }

    [Fact]
    public void Counts_survive_as_text()
    {
        long[] counts = new long[GateHistogram.BinCount];
        counts[0] = 1;
        counts[1] = 127;
        counts[2] = 128;
        counts[30000] = long.MaxValue / GateHistogram.BinCount;
        counts[32767] = 5;
        Assert.Equal(counts, CountsText.Read(CountsText.Write(new GateHistogram(counts))).Counts.ToArray());
        Assert.Equal("", CountsText.Write(new GateHistogram()));
    }

    private static GateObservations Shard(int part, int shards) => new()
    {
        Method = "neuron",
        Sparsity = 0.5,
        ModelHash = "abc",
        TextSha256 = "def",
        TextTokens = 30,
        ToolVersion = "1.2.3",
        Shards = shards,
        Parts = [part],
        Layers = [Layer(part)],
    };

    private static LayerObservations Layer(int part, string name = "mlp.0", float weight = 1.5f)
    {
        GateHistogram histogram = new();
        Random random = new(part);
        for (int i = 0; i < 40; i++)
        {
            histogram.Add(random.NextSingle());
        }

        return new LayerObservations(name, 4, 10, histogram, new float[] { 0, 0.5f, 2, weight });
    }
}
