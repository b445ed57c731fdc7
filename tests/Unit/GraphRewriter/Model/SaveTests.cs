// SPDX-License-Identifier: MIT
// Where tensors go when a model is saved, and what is refused.
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Model;

public sealed class SaveTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cats-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Out => Path.Combine(_folder, "out.onnx");

    [Fact]
    public void A_model_that_would_be_too_long_gets_external_data_and_keeps_its_bytes()
    {
        OnnxModel source = OnnxModel.Load(SmallModel.Write(_folder, SmallModel.With(Ramp("a", 3000), Ramp("b", 5000), Ramp("c", 10))));

        IReadOnlyList<SavedFile> files = source.Save(Out, new SaveOptions { InlineLimit = 4000 });

        Assert.Equal(["out.onnx.data", "out.onnx"], files.Select(file => file.Name));
        OnnxModel saved = OnnxModel.Load(Out);
        Assert.Equal([true, true, false], saved.Proto.Graph.Initializer.Select(t => t.DataLocation == TensorProto.Types.DataLocation.External));
        AssertSame(source, saved);
        Assert.All(saved.Proto.Graph.Initializer.Take(2), tensor => Assert.Equal(0, saved.Locate(tensor)!.Offset % 4096));
    }

    [Fact]
    public void New_content_of_an_inline_model_stays_inline()
    {
        OnnxModel model = OnnxModel.Load(SmallModel.Write(_folder, SmallModel.With(Ramp("a", 6000))));
        TensorProto tensor = model.Proto.Graph.Initializer[0];
        TensorContent content = model.Content(tensor);
        tensor.Dims.Clear();
        tensor.Dims.Add([60, 100]);
        model.SetContent(tensor, TensorContent.Transposed(content, 100, 60, 4));

        Assert.Single(model.Save(Out));
        OnnxModel saved = OnnxModel.Load(Out);
        ReadOnlySpan<float> values = MemoryMarshal.Cast<byte, float>(saved.Read(saved.Proto.Graph.Initializer[0]));
        Assert.Equal(60f, values[1]);
        Assert.Equal(1f, values[100]);
        OnnxModel inMemory = OnnxModel.FromProto(ModelProto.Parser.ParseFrom(model.ToBytes()));
        AssertSame(saved, inMemory);
    }

    [Fact]
    public void New_content_of_an_external_model_goes_to_its_data_file()
    {
        OnnxModel model = ExternalModel();
        TensorProto fresh = new() { Name = "fresh", DataType = 1, Dims = { 1000 } };
        model.SetContent(fresh, new TensorContent.Bytes(new byte[4000]));
        model.Proto.Graph.Initializer.Add(fresh);

        IReadOnlyList<SavedFile> files = model.Save(Out, new SaveOptions { ExternalDataFileName = "weights" });

        Assert.Equal("weights", files[0].Name);
        OnnxModel saved = OnnxModel.Load(Out);
        Assert.All(saved.Proto.Graph.Initializer, t => Assert.Equal(TensorProto.Types.DataLocation.External, t.DataLocation));
        AssertSame(model, saved);
    }

    [Fact]
    public void Tensors_that_share_bytes_still_share_them()
    {
        OnnxModel model = ExternalModel();
        TensorProto twin = model.Proto.Graph.Initializer[0].Clone();
        twin.Name = "twin";
        model.Proto.Graph.Initializer.Add(twin);

        model.Save(Out);

        OnnxModel saved = OnnxModel.Load(Out);
        Assert.Equal(saved.Locate(saved.Proto.Graph.Initializer[0]), saved.Locate(saved.Proto.Graph.Initializer[^1]));
    }

    [Fact]
    public void The_hashes_told_are_those_of_the_files()
    {
        foreach (SavedFile file in ExternalModel().Save(Out))
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(_folder, file.Name));
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), file.Sha256);
            Assert.Equal(bytes.Length, file.Length);
        }
    }

    [Fact]
    public void Never_writes_over_a_file_that_exists()
    {
        OnnxModel model = ExternalModel();
        byte[] before = File.ReadAllBytes(Path.Combine(_folder, "w.bin"));

        Assert.Throws<IOException>(() => model.Save(Out, new SaveOptions { ExternalDataFileName = "w.bin" }));
        Assert.Throws<IOException>(() => model.Save(Path.Combine(_folder, "model.onnx")));

        Assert.Equal(before, File.ReadAllBytes(Path.Combine(_folder, "w.bin")));
        Assert.False(File.Exists(Out));
    }

    [Theory]
    [InlineData(float.NaN, 0, true)]
    [InlineData(float.NegativeInfinity, 19_999, false)]
    [InlineData(float.PositiveInfinity, 7_777, true)]
    public void Names_the_tensor_that_is_not_finite_and_leaves_nothing(float value, int place, bool external)
    {
        float[] values = new float[20_000];
        values[place] = value;
        OnnxModel model = OnnxModel.Load(SmallModel.Write(_folder, SmallModel.With(SmallModel.Floats("fine", new float[500]), SmallModel.Floats("broken", values))));

        NonFiniteTensorException e = Assert.Throws<NonFiniteTensorException>(
            () => model.Save(Out, new SaveOptions { RequireFinite = _ => true, InlineLimit = external ? 4000 : SaveOptions.DefaultInlineLimit }));

        Assert.Equal(["broken"], e.Names);
        Assert.Equal(["model.onnx"], Directory.GetFiles(_folder).Select(Path.GetFileName));
        Assert.False(model.IsFinite(model.Proto.Graph.Initializer[1]));
        Assert.True(model.IsFinite(model.Proto.Graph.Initializer[0]));
        Assert.Equal(2, model.Save(Out, new SaveOptions { RequireFinite = t => t.Name == "fine", InlineLimit = 4000 }).Count);
    }

    [Fact]
    public void Typed_fields_read_as_raw_bytes()
    {
        TensorProto floats = new() { Name = "f", DataType = 1, Dims = { 2 }, FloatData = { 1.5f, -2 } };
        TensorProto halves = new() { Name = "h", DataType = 10, Dims = { 2 }, Int32Data = { 0x3C00, 0xC000 } };
        TensorProto longs = new() { Name = "l", DataType = 7, Dims = { 1 }, Int64Data = { -3 } };
        TensorProto many = new() { Name = "m", DataType = 1, Dims = { 1000 } };
        many.FloatData.Add(Enumerable.Range(0, 1000).Select(i => (float)i));
        OnnxModel model = OnnxModel.Load(SmallModel.Write(_folder, SmallModel.With(floats, halves, longs, many)));

        Assert.Equal([1.5f, -2f], MemoryMarshal.Cast<byte, float>(model.Read(model.Proto.Graph.Initializer[0])).ToArray());
        Assert.Equal([(Half)1, (Half)(-2)], MemoryMarshal.Cast<byte, Half>(model.Read(model.Proto.Graph.Initializer[1])).ToArray());
        Assert.Equal([-3L], MemoryMarshal.Cast<byte, long>(model.Read(model.Proto.Graph.Initializer[2])).ToArray());
        Assert.Equal(999f, MemoryMarshal.Cast<byte, float>(model.Read(model.Proto.Graph.Initializer[3]))[^1]);
        Assert.Equal(SmallModel.With(floats, halves, longs, many), ModelProto.Parser.ParseFrom(model.ToBytes()));
    }

    [Fact]
    public void The_fingerprint_does_not_depend_on_where_the_bytes_lie()
    {
        OnnxModel inline = OnnxModel.Load(SmallModel.Write(_folder, SmallModel.With(Ramp("a", 30_000), Ramp("b", 5))));
        inline.Save(Out, new SaveOptions { InlineLimit = 4000 });
        string fingerprint = ModelFingerprint.Compute(inline);

        Assert.Equal(fingerprint, ModelFingerprint.Compute(OnnxModel.Load(Out)));
        OnnxModel other = OnnxModel.Load(SmallModel.Write(_folder, SmallModel.With(Ramp("a", 30_000), Ramp("b", 6)), "other.onnx"));
        Assert.NotEqual(fingerprint, ModelFingerprint.Compute(other));
    }

    private OnnxModel ExternalModel()
    {
        byte[] bytes = new byte[20_000];
        new Random(5).NextBytes(bytes);
        File.WriteAllBytes(Path.Combine(_folder, "w.bin"), bytes);
        TensorProto a = SmallModel.External("a", 1000, ("location", "w.bin"), ("offset", "8000"));
        return OnnxModel.Load(SmallModel.Write(_folder, SmallModel.With(a, SmallModel.External("b", 2000, "w.bin"))));
    }

    private static TensorProto Ramp(string name, int count) => SmallModel.Floats(name, [.. Enumerable.Range(0, count).Select(i => (float)i)]);

    private static void AssertSame(OnnxModel expected, OnnxModel actual)
    {
        foreach ((TensorProto a, TensorProto b) in expected.Proto.Graph.Initializer.Zip(actual.Proto.Graph.Initializer))
        {
            Assert.Equal(expected.Read(a), actual.Read(b));
        }
    }
}
