// SPDX-License-Identifier: MIT
// Loading and saving real exports: every tensor keeps its bytes, whatever its place.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Model;

public sealed class OnnxModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cats-test-").FullName;

    public static TheoryData<string> Fixtures()
    {
        TheoryData<string> data = [];
        foreach (string path in FixtureModels.All())
        {
            data.Add(path);
        }

        return data;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void A_saved_model_has_the_graph_and_the_bytes_of_its_source(string path)
    {
        OnnxModel source = OnnxModel.Load(FixtureModels.Resolve(path));
        source.Save(Path.Combine(_folder, "model.onnx"));
        OnnxModel saved = OnnxModel.Load(Path.Combine(_folder, "model.onnx"));

        AssertSameTensors(source, saved);
        Assert.Equal(WithoutData(source.Proto), WithoutData(saved.Proto));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void A_model_in_memory_has_its_inline_bytes_and_names_its_external_ones(string path)
    {
        OnnxModel source = OnnxModel.Load(FixtureModels.Resolve(path));
        OnnxModel inMemory = OnnxModel.FromProto(ModelProto.Parser.ParseFrom(source.ToBytes()), source.Folder);

        AssertSameTensors(source, inMemory);
    }

    private static void AssertSameTensors(OnnxModel expected, OnnxModel actual)
    {
        foreach ((TensorProto a, TensorProto b) in TensorWalk.Tensors(expected.Proto).Zip(TensorWalk.Tensors(actual.Proto), (a, b) => (a, b)))
        {
            Assert.Equal(a.Name, b.Name);
            Assert.Equal(a.Dims, b.Dims);
            Assert.Equal(expected.Read(a), actual.Read(b));
        }
    }

    /// <summary>The model with every tensor's data removed.</summary>
    private static ModelProto WithoutData(ModelProto model)
    {
        ModelProto copy = model.Clone();
        foreach (TensorProto tensor in TensorWalk.Tensors(copy))
        {
            tensor.ExternalData.Clear();
            tensor.ClearRawData();
        }

        return copy;
    }
}
