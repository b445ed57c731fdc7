// SPDX-License-Identifier: MIT
// Builds small graphs node by node: hidden 4, intermediate 6, weights that differ in every element.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using Google.Protobuf;

namespace CatsOnnx.Tests.Support;

/// <summary>A graph with the input x: float [2, 3, 4], or of another type.</summary>
public sealed class MlpGraph
{
    /// <summary>Width of the model.</summary>
    public const int Hidden = 4;

    /// <summary>Number of neurons.</summary>
    public const int Intermediate = 6;

    private readonly ModelProto _model = new() { IrVersion = 8, Graph = new GraphProto { Name = "mlp" } };
    private int _count;

    /// <summary>Starts a graph.</summary>
    /// <param name="opset">Version of ONNX's operators.</param>
    /// <param name="dims">Shape of x.</param>
    public MlpGraph(long opset = 17, params long[] dims)
    {
        _model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = opset });
        _model.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        _model.Graph.Input.Add(NodeBuilder.Info("x", TensorProto.Types.DataType.Float, dims.Length == 0 ? [2, 3, Hidden] : dims));
    }

    /// <summary>The graph so far.</summary>
    public ModelProto Proto => _model;

    /// <summary>Adds an initializer of float values.</summary>
    /// <param name="dims">Its shape.</param>
    public string Weight(params long[] dims) => Add(Tensor(dims));

    /// <summary>Adds an initializer of float16 values.</summary>
    /// <param name="dims">Its shape.</param>
    public string HalfWeight(params long[] dims)
    {
        TensorProto tensor = Tensor(dims);
        byte[] bytes = [.. System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(tensor.RawData.Span).ToArray().SelectMany(value => BitConverter.GetBytes((Half)value))];
        tensor.DataType = (int)TensorProto.Types.DataType.Float16;
        tensor.RawData = ByteString.CopyFrom(bytes);
        return Add(tensor);
    }

    /// <summary>Adds an initializer of given values.</summary>
    /// <param name="dims">Its shape.</param>
    /// <param name="values">Its values.</param>
    public string Floats(long[] dims, params float[] values)
    {
        TensorProto tensor = NodeBuilder.Floats("", values, scalar: true);
        tensor.Dims.AddRange(dims);
        return Add(tensor);
    }

    /// <summary>Adds integers as a Constant node.</summary>
    /// <param name="values">The integers.</param>
    public string Integers(params long[] values)
    {
        string name = $"v{_count++}";
        _model.Graph.Node.Add(NodeBuilder.Integers(name, values));
        return name;
    }

    /// <summary>Adds float values as a Constant node.</summary>
    /// <param name="dims">Its shape.</param>
    public string Constant(params long[] dims) => Node("Constant", [], NodeBuilder.Tensor("value", Tensor(dims)));

    /// <summary>Adds an initializer.</summary>
    /// <param name="tensor">The tensor; it gets a name.</param>
    public string Add(TensorProto tensor)
    {
        tensor.Name = $"w{_count++}";
        _model.Graph.Initializer.Add(tensor);
        return tensor.Name;
    }

    /// <summary>Adds a node with one output.</summary>
    /// <param name="opType">The operator; with "ms." before it, of com.microsoft.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="attributes">Its attributes.</param>
    public string Node(string opType, string[] inputs, params AttributeProto[] attributes) => Nodes(opType, inputs, 1, attributes)[0];

    /// <summary>Adds a node with several outputs.</summary>
    /// <param name="opType">The operator; with "ms." before it, of com.microsoft.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="outputs">How many outputs.</param>
    /// <param name="attributes">Its attributes.</param>
    public string[] Nodes(string opType, string[] inputs, int outputs, params AttributeProto[] attributes)
    {
        string[] names = [.. Enumerable.Range(0, outputs).Select(_ => $"v{_count++}")];
        NodeProto node = NodeBuilder.Node(opType.StartsWith("ms.", StringComparison.Ordinal) ? opType[3..] : opType, inputs, names, attributes);
        node.Domain = opType.StartsWith("ms.", StringComparison.Ordinal) ? "com.microsoft" : "";
        _model.Graph.Node.Add(node);
        return names;
    }

    /// <summary>A float attribute.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">Its value.</param>
    public static AttributeProto Float(string name, float value) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Float, F = value };

    /// <summary>A string attribute.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">Its value.</param>
    public static AttributeProto Text(string name, string value) =>
        new() { Name = name, Type = AttributeProto.Types.AttributeType.String, S = ByteString.CopyFromUtf8(value) };

    /// <summary>Adds one integer without dimensions.</summary>
    /// <param name="value">The integer.</param>
    public string Scalar(long value)
    {
        TensorProto tensor = new() { DataType = (int)TensorProto.Types.DataType.Int64, RawData = ByteString.CopyFrom(BitConverter.GetBytes(value)) };
        return Add(tensor);
    }

    /// <summary>gate or up by MatMul.</summary>
    public string Project() => Node("MatMul", ["x", Weight(Hidden, Intermediate)]);

    /// <summary>value * sigmoid(value).</summary>
    /// <param name="value">The value.</param>
    public string Silu(string value) => Node("Mul", [value, Node("Sigmoid", [value])]);

    /// <summary>down by MatMul.</summary>
    /// <param name="value">The value.</param>
    public string Down(string value) => Node("MatMul", [value, Weight(Intermediate, Hidden)]);

    /// <summary>The model with some values as outputs.</summary>
    /// <param name="outputs">The values.</param>
    public OnnxModel Build(params string[] outputs)
    {
        foreach (string output in outputs)
        {
            _model.Graph.Output.Add(NodeBuilder.Info(output, TensorProto.Types.DataType.Float, null));
        }

        return OnnxModel.FromProto(_model.Clone());
    }

    private TensorProto Tensor(long[] dims)
    {
        int count = (int)dims.Aggregate(1L, (product, dim) => product * dim);
        Random random = new(_count + 17);
        byte[] bytes = new byte[count * sizeof(float)];
        for (int i = 0; i < count; i++)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(i * sizeof(float)), (random.NextSingle() * 2) - 1);
        }

        TensorProto tensor = new() { DataType = (int)TensorProto.Types.DataType.Float, RawData = ByteString.CopyFrom(bytes) };
        tensor.Dims.AddRange(dims);
        return tensor;
    }
}
