// SPDX-License-Identifier: MIT
// Files that are no models, or damaged ones: each is refused with a message that names the file and the fault.
using System.Text;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using Google.Protobuf;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Model;

public sealed class InvalidModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cats-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("", "empty")]
    [InlineData("x", "ends inside a field")]
    [InlineData("This is a text file and no model.", "no ONNX model")]
    [InlineData("<!DOCTYPE html><html><body>404</body></html>", "no ONNX model")]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "no ONNX model")]
    public void Refuses_a_file_that_is_no_model(string text, string fault)
    {
        string path = Path.Combine(_folder, "model.onnx");
        File.WriteAllBytes(path, Encoding.Latin1.GetBytes(text));

        AssertRefused(path, fault);
    }

    [Fact]
    public void Refuses_a_missing_file() => AssertRefused(Path.Combine(_folder, "none.onnx"), "does not exist");

    [Fact]
    public void Refuses_a_folder_as_a_file() => AssertRefused(_folder, "no regular file");

    [Fact]
    public void Refuses_every_truncation_of_a_small_model_that_loses_part_of_the_graph()
    {
        ModelProto whole = SmallModel.With(SmallModel.Floats("w", [.. Enumerable.Range(0, 400).Select(i => (float)i)]));
        byte[] bytes = whole.ToByteArray();
        int accepted = 0;
        for (int length = 0; length < bytes.Length; length++)
        {
            string path = Path.Combine(_folder, "cut.onnx");
            File.WriteAllBytes(path, bytes.AsSpan(0, length).ToArray());
            try
            {
                OnnxModel.Load(path);
                accepted++;
            }
            catch (InvalidModelException e)
            {
                Assert.Contains("cut.onnx", e.Message, StringComparison.Ordinal);
            }
        }

        Assert.Equal(0, accepted);
    }

    [Theory]
    [InlineData(new long[] { -1 })]
    [InlineData(new[] { 1L << 62, 4 })]
    [InlineData(new[] { long.MaxValue, long.MaxValue })]
    [InlineData(new[] { 1L << 61 })]
    public void Refuses_dimensions_that_are_negative_or_overflow(long[] dims)
    {
        TensorProto tensor = SmallModel.Floats("w", 1, 2);
        tensor.Dims.Clear();
        tensor.Dims.Add(dims);

        AssertRefused(SmallModel.Write(_folder, SmallModel.With(tensor)), "tensor 'w'");
    }

    [Theory]
    [InlineData(3)]
    [InlineData(500)]
    public void Refuses_raw_data_that_is_not_as_long_as_the_shape_asks_for(int count)
    {
        TensorProto tensor = SmallModel.Floats("w", new float[count]);
        tensor.Dims[0] = count + 1;

        AssertRefused(SmallModel.Write(_folder, SmallModel.With(tensor)), $"it has {count * 4} bytes of raw data");
    }

    [Fact]
    public void Refuses_data_in_two_fields()
    {
        TensorProto tensor = SmallModel.Floats("w", 1, 2);
        tensor.FloatData.Add([1, 2]);

        AssertRefused(SmallModel.Write(_folder, SmallModel.With(tensor)), "more than one field");
    }

    [Fact]
    public void Refuses_a_tensor_without_data()
    {
        TensorProto tensor = SmallModel.Floats("w", 1, 2);
        tensor.ClearRawData();

        AssertRefused(SmallModel.Write(_folder, SmallModel.With(tensor)), "no data for its 2 elements");
    }

    [Fact]
    public void Refuses_graphs_that_are_nested_deeper_than_32()
    {
        AssertRefused(SmallModel.Write(_folder, Nested(33)), "nested more than 32 deep");
        AssertRefused(SmallModel.Write(_folder, Nested(5000)), "nested more than 32 deep");
        OnnxModel.Load(SmallModel.Write(_folder, Nested(32)));
    }

    [Fact]
    public void Refuses_unknown_groups_that_are_nested_deep()
    {
        byte[] model = SmallModel.With(SmallModel.Floats("w", 1)).ToByteArray();
        byte[] opensGroup30 = [0xF3, 0x01];
        string path = Path.Combine(_folder, "groups.onnx");
        File.WriteAllBytes(path, [.. model, .. Enumerable.Repeat(opensGroup30, 100_000).SelectMany(g => g)]);

        AssertRefused(path, "groups nested");
    }

    [Fact]
    public void Refuses_a_function_that_calls_itself()
    {
        ModelProto model = SmallModel.With(SmallModel.Floats("w", 1));
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
        foreach ((string name, string calls) in new[] { ("F", "G"), ("G", "F") })
        {
            model.Functions.Add(new FunctionProto
            {
                Name = name,
                Domain = "local",
                OpsetImport = { new OperatorSetIdProto { Domain = "local", Version = 1 } },
                Node = { new NodeProto { OpType = calls, Domain = "local" } },
            });
        }

        AssertRefused(SmallModel.Write(_folder, model), "calls itself");
    }

    [Fact]
    public void Refuses_a_domain_that_is_not_imported()
    {
        ModelProto model = SmallModel.With(SmallModel.Floats("w", 1));
        model.Graph.Node[0].Domain = "com.microsoft";

        AssertRefused(SmallModel.Write(_folder, model), "domain 'com.microsoft'");
    }

    [Fact]
    public void Refuses_the_mark_that_stands_for_data_in_memory()
    {
        TensorProto tensor = SmallModel.Floats("w");
        tensor.Dims[0] = 1;
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "cats.content", Value = "0" });

        AssertRefused(SmallModel.Write(_folder, SmallModel.With(tensor)), "cats.content");
    }

    [Fact]
    public void Keeps_unknown_fields()
    {
        byte[] unknown = [0xFA, 0x3F, 3, 1, 2, 3];
        string path = Path.Combine(_folder, "model.onnx");
        File.WriteAllBytes(path, [.. SmallModel.With(SmallModel.Floats("w", 1)).ToByteArray(), .. unknown]);
        OnnxModel.Load(path).Save(Path.Combine(_folder, "saved.onnx"));

        Assert.True(File.ReadAllBytes(Path.Combine(_folder, "saved.onnx")).AsSpan().IndexOf(unknown) >= 0);
    }

    private static ModelProto Nested(int depth)
    {
        GraphProto graph = new() { Name = "innermost" };
        for (int i = 1; i < depth; i++)
        {
            AttributeProto branch = new() { Name = "then_branch", Type = AttributeProto.Types.AttributeType.Graph, G = graph };
            graph = new GraphProto { Name = "g", Node = { new NodeProto { OpType = "If", Attribute = { branch } } } };
        }

        return new ModelProto { IrVersion = 8, Graph = graph, OpsetImport = { new OperatorSetIdProto { Version = 17 } } };
    }

    private static void AssertRefused(string path, string fault)
    {
        InvalidModelException e = Assert.Throws<InvalidModelException>(() => OnnxModel.Load(path));
        Assert.Contains(path, e.Message, StringComparison.Ordinal);
        Assert.Contains(fault, e.Message, StringComparison.Ordinal);
    }
}
