// SPDX-License-Identifier: MIT
// Makes nodes, attributes and small tensors.
using System.Buffers.Binary;
using CatsOnnx.GraphRewriter.Proto;
using Google.Protobuf;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Makes messages of a graph.</summary>
internal static class NodeBuilder
{
    /// <summary>A node.</summary>
    /// <param name="opType">The operator.</param>
    /// <param name="inputs">Its inputs; "" for an absent one.</param>
    /// <param name="outputs">Its outputs; "" for an unused one.</param>
    /// <param name="attributes">Its attributes.</param>
    public static NodeProto Node(string opType, IEnumerable<string> inputs, IEnumerable<string> outputs, params AttributeProto[] attributes)
    {
        NodeProto node = new() { OpType = opType };
        node.Input.AddRange(inputs);
        node.Output.AddRange(outputs);
        node.Attribute.AddRange(attributes);
        return node;
    }

    /// <summary>An integer attribute.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">Its value.</param>
    public static AttributeProto Int(string name, long value) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = value };

    /// <summary>A list of integers.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">Its values.</param>
    public static AttributeProto Ints(string name, params long[] values)
    {
        AttributeProto attribute = new() { Name = name, Type = AttributeProto.Types.AttributeType.Ints };
        attribute.Ints.AddRange(values);
        return attribute;
    }

    /// <summary>A string attribute.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">Its value.</param>
    public static AttributeProto Text(string name, string value) =>
        new() { Name = name, Type = AttributeProto.Types.AttributeType.String, S = ByteString.CopyFromUtf8(value) };

    /// <summary>A tensor attribute.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">Its value.</param>
    public static AttributeProto Tensor(string name, TensorProto value) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Tensor, T = value };

    /// <summary>A Constant node of 64-bit integers, shape [n].</summary>
    /// <param name="output">Its output.</param>
    /// <param name="values">Its values.</param>
    public static NodeProto Integers(string output, params long[] values)
    {
        byte[] bytes = new byte[values.Length * sizeof(long)];
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(i * sizeof(long)), values[i]);
        }

        TensorProto tensor = new() { DataType = (int)TensorProto.Types.DataType.Int64, RawData = ByteString.CopyFrom(bytes) };
        tensor.Dims.Add(values.Length);
        return Node("Constant", [], [output], Tensor("value", tensor));
    }

    /// <summary>A float tensor: a scalar, or a vector.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">Its values.</param>
    /// <param name="scalar">Whether its shape is [] and not [n].</param>
    public static TensorProto Floats(string name, ReadOnlySpan<float> values, bool scalar)
    {
        byte[] bytes = new byte[values.Length * sizeof(float)];
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), values[i]);
        }

        TensorProto tensor = new() { Name = name, DataType = (int)TensorProto.Types.DataType.Float, RawData = ByteString.CopyFrom(bytes) };
        if (!scalar)
        {
            tensor.Dims.Add(values.Length);
        }

        return tensor;
    }

    /// <summary>A tensor type.</summary>
    /// <param name="name">The value's name.</param>
    /// <param name="elementType">Its element type.</param>
    /// <param name="dims">Its shape: numbers; null leaves the shape open.</param>
    public static ValueInfoProto Info(string name, TensorProto.Types.DataType elementType, long[]? dims)
    {
        TypeProto.Types.Tensor tensor = new() { ElemType = (int)elementType };
        if (dims is not null)
        {
            tensor.Shape = new TensorShapeProto();
            tensor.Shape.Dim.AddRange(dims.Select(dim => new TensorShapeProto.Types.Dimension { DimValue = dim }));
        }

        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = tensor } };
    }
}
