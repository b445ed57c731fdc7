// SPDX-License-Identifier: MIT
// Decoders with random weights run in ONNX Runtime, with activations of a sensible size.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Synthesis;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class DecoderModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cats-decoder-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(DecoderDtype.Fp32)]
    [InlineData(DecoderDtype.Fp16)]
    public void A_made_decoder_runs_and_its_logits_are_of_order_one(DecoderDtype dtype)
    {
        DecoderShape shape = DecoderShape.Named("tiny");
        DecoderModel.Write(shape, dtype, 3, _folder);

        float[] logits = Run(shape, dtype, new InferenceSession(Path.Combine(_folder, "model.onnx")), [1, 17, 300, 42, 9]);

        Assert.All(logits, value => Assert.True(float.IsFinite(value)));
        double deviation = Math.Sqrt(logits.Average(value => (double)value * value));
        Assert.InRange(deviation, 0.5, 2);
    }

    [Fact]
    public void The_same_decoder_in_memory_computes_the_same()
    {
        DecoderShape shape = new("small", 64, 176, 2, 4, 2, 128, 64);
        DecoderModel.Write(shape, DecoderDtype.Fp32, 3, _folder);
        OnnxModel inMemory = DecoderModel.Build(shape, DecoderDtype.Fp32, 3);

        float[] fromFile = Run(shape, DecoderDtype.Fp32, new InferenceSession(Path.Combine(_folder, "model.onnx")), [1, 2, 3]);
        float[] fromBytes = Run(shape, DecoderDtype.Fp32, new InferenceSession(inMemory.ToBytes()), [1, 2, 3]);

        Assert.Equal(fromFile, fromBytes);
    }

    [Fact]
    public void The_bytes_depend_on_the_seed_alone()
    {
        DecoderShape shape = DecoderShape.Named("tiny");
        string Hash(ulong seed, string name) => DecoderModel.Write(shape, DecoderDtype.Bf16, seed, Path.Combine(_folder, name))[0].Sha256;
        string first = Hash(1, "a");
        string again = Hash(1, "b");

        Assert.Equal(first, again);
        Assert.NotEqual(first, Hash(2, "c"));
        OnnxModel model = OnnxModel.Load(Path.Combine(_folder, "a", "model.onnx"));
        Assert.All(model.Proto.Graph.Initializer, (TensorProto tensor) => Assert.True(model.IsFinite(tensor)));
    }

    private static float[] Run(DecoderShape shape, DecoderDtype dtype, InferenceSession session, long[] ids)
    {
        using (session)
        {
            using OrtValue mask = OrtValue.CreateTensorValueFromMemory(Enumerable.Repeat(1L, ids.Length).ToArray(), [1, ids.Length]);
            using OrtValue input = OrtValue.CreateTensorValueFromMemory(ids, [1, ids.Length]);
            Dictionary<string, OrtValue> feeds = new() { ["input_ids"] = input, ["attention_mask"] = mask };
            long[] empty = [1, shape.KeyValueHeads, 0, shape.HeadSize];
            foreach (string name in session.InputNames.Where(name => name.StartsWith("past", StringComparison.Ordinal)))
            {
                feeds[name] = dtype == DecoderDtype.Fp16
                    ? OrtValue.CreateTensorValueFromMemory(Array.Empty<Float16>(), empty)
                    : OrtValue.CreateTensorValueFromMemory(Array.Empty<float>(), empty);
            }

            using RunOptions options = new();
            using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(options, feeds, ["logits"]);
            return dtype == DecoderDtype.Fp16
                ? [.. outputs[0].GetTensorDataAsSpan<Float16>().ToArray().Select(value => (float)value)]
                : outputs[0].GetTensorDataAsSpan<float>().ToArray();
        }
    }
}
