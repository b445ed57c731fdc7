// SPDX-License-Identifier: MIT
// thresholds.json is read strictly: what is wrong is named with the layer and both values; damaged text never crashes.
using System.Text;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Thresholds;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Thresholds;

public sealed class ThresholdTableTests
{
    private static readonly ThresholdTable Table = new()
    {
        ModelHash = "abc",
        Method = "neuron",
        TargetSparsity = 0.5,
        TextTokens = 512,
        Layers =
        [
            new LayerThresholds { Name = "first", IntermediateSize = 3, Thresholds = [0.1f, 0, 1e-30f], Sparsity = 0.5, Samples = 9 },
            new LayerThresholds { Name = "second", IntermediateSize = 2, Thresholds = [0.25f] },
        ],
    };

    private static readonly RewriteReport Model = new() { Mlps = [], ModelHash = "abc", Layers = [new LayerShape("first", 8, 3), new LayerShape("second", 8, 2)] };

    [Fact]
    public void What_is_written_is_read_again()
    {
        ThresholdTable read = ThresholdTable.Parse(Encoding.UTF8.GetBytes(Table.ToJson()), "t");
        Assert.Equal(Table.ToJson(), read.ToJson());
        Assert.Equal(Table.Layers[0].Thresholds, read.Layers[0].Thresholds);
        read.RequireFits(Model);
    }

    [Theory]
    [InlineData("\"schema_version\": 1", "\"schema_version\": 2", "schema_version is 2; 1 is supported")]
    [InlineData("\"schema_version\": 1,", "", "no object with a schema_version")]
    [InlineData("0.25", "NaN", "t:")]
    [InlineData("0.25", "\"NaN\"", "layers[1].thresholds[0]")]
    [InlineData("0.25", "-0.25", "layer 1 'second': threshold 0 is -0.25")]
    [InlineData("0.25", "1e99", "t:")]
    [InlineData("0.25", "0.25, 0.5, 0.75", "there are 3 thresholds for 2 neurons; it must be 1 or 2")]
    [InlineData("\"intermediate_size\": 2", "\"intermediate_size\": 0", "intermediate_size is 0")]
    [InlineData("\"method\": \"neuron\"", "\"method\": \"magic\"", "'magic'")]
    [InlineData("\"target_sparsity\": 0.5", "\"target_sparsity\": 1.5", "target_sparsity is 1.5")]
    [InlineData("\"method\": \"neuron\"", "\"method\": \"neuron\", \"method\": \"layer\"", "t:")]
    [InlineData("\"method\": \"neuron\"", "\"method\": \"neuron\", \"extra\": 1", "extra")]
    [InlineData("\"model_hash\": \"abc\",", "", "model_hash")]
    public void A_wrong_value_is_named(string from, string to, string message)
    {
        string json = Table.ToJson();
        Assert.Contains(from, json, StringComparison.Ordinal);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => ThresholdTable.Parse(Encoding.UTF8.GetBytes(json.Replace(from, to, StringComparison.Ordinal)), "t"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Thresholds_of_another_model_are_an_error_with_both_values()
    {
        Assert.Equal("The thresholds were made for the model abc; this is xyz.", Fault(Model with { ModelHash = "xyz" }));
        Assert.Equal("Layer 1 'second': the thresholds are for 2 neurons; the model has 7.", Fault(Model with { Layers = [Model.Layers[0], new LayerShape("second", 8, 7)] }));
        Assert.StartsWith("Thresholds for layer 2 'third' are missing", Fault(Model with { Layers = [.. Model.Layers, new LayerShape("third", 8, 2)] }), StringComparison.Ordinal);
        Assert.StartsWith("There are thresholds for layer 1 'second'", Fault(Model with { Layers = [Model.Layers[0]] }), StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_text_is_an_error_or_a_table_and_nothing_else()
    {
        byte[] sound = Encoding.UTF8.GetBytes(Table.ToJson());
        Random random = new(20261123);
        int errors = 0;
        for (int round = 0; round < 5000; round++)
        {
            byte[] damaged = [.. sound];
            for (int edit = 0; edit <= round % 4; edit++)
            {
                int at = random.Next(damaged.Length);
                damaged[at] = random.Next(3) == 0 ? (byte)random.Next(256) : "0123456789-eE.\"[]{},:nN"u8[random.Next(23)];
            }

            if (round % 5 == 0)
            {
                damaged = damaged[..random.Next(damaged.Length)];
            }

            try
            {
                ThresholdTable.Parse(damaged, "t").RequireSound("t");
            }
            catch (InvalidDataException)
            {
                errors++;
            }
        }

        Assert.InRange(errors, 1000, 5000);
    }

    private static string Fault(RewriteReport model) => Assert.Throws<InvalidDataException>(() => Table.RequireFits(model)).Message;
}
