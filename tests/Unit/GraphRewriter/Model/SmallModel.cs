// SPDX-License-Identifier: MIT
// The smallest models that can be right or wrong in one way.
using System.Globalization;
using System.Runtime.InteropServices;
using CatsOnnx.GraphRewriter.Proto;
using Google.Protobuf;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Model;

/// <summary>Builds models of one node.</summary>
internal static class SmallModel
{
    /// <summary>A model whose one node reads the initializers.</summary>
    public static ModelProto With(params TensorProto[] initializers) => new()
    {
        IrVersion = 8,
        OpsetImport = { new OperatorSetIdProto { Domain = string.Empty, Version = 17 } },
        Graph = new GraphProto
        {
            Name = "g",
            Node = { new NodeProto { OpType = "Sum", Name = "sum", Input = { initializers.Select(t => t.Name) }, Output = { "y" } } },
            Initializer = { initializers },
        },
    };

    /// <summary>A float tensor with its data in raw_data.</summary>
    public static TensorProto Floats(string name, params float[] values) => new()
    {
        Name = name,
        DataType = (int)TensorProto.Types.DataType.Float,
        Dims = { values.Length },
        RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values)),
    };

    /// <summary>A float tensor in an external file.</summary>
    public static TensorProto External(string name, long count, params (string Key, string Value)[] entries) => new()
    {
        Name = name,
        DataType = (int)TensorProto.Types.DataType.Float,
        Dims = { count },
        DataLocation = TensorProto.Types.DataLocation.External,
        ExternalData = { entries.Select(e => new StringStringEntryProto { Key = e.Key, Value = e.Value }) },
    };

    /// <summary>A float tensor at the start of an external file, with all keys.</summary>
    public static TensorProto External(string name, long count, string location) => External(
        name, count, ("location", location), ("offset", "0"), ("length", (count * 4).ToString(CultureInfo.InvariantCulture)));

    /// <summary>Writes a model into a folder.</summary>
    /// <returns>Its path.</returns>
    public static string Write(string folder, ModelProto model, string name = "model.onnx")
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, name);
        File.WriteAllBytes(path, model.ToByteArray());
        return path;
    }
}
