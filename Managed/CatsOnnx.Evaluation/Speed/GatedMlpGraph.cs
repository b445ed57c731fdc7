// SPDX-License-Identifier: MIT
// The graph of one or more gated MLPs in a row, written as exporters write it.
using System.Globalization;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.Evaluation.Speed;

/// <summary>
/// For each layer, x being the layer before:
/// <code>
/// x --+--> MatMul(gate_proj) --+--> Sigmoid --> Mul --> Mul --> MatMul(down_proj) --> y
///     |                        +---------------^        ^
///     +--> MatMul(up_proj) -----------------------------+
/// </code>
/// </summary>
internal static class GatedMlpGraph
{
    /// <summary>What the data file's name adds to the model file's.</summary>
    public const string DataSuffix = ".data";

    private const int Opset = 17;
    private const int IrVersion = 8;

    /// <summary>Makes the graph; weights are float32, in one external file, layer by layer: gate and up [hidden, intermediate],
    /// down [intermediate, hidden].</summary>
    public static ModelProto Make(string fileName, int hiddenSize, int intermediateSize, int layers)
    {
        GraphProto graph = new() { Name = "gated_mlp" };
        graph.Input.Add(Rows("x", hiddenSize));
        graph.Output.Add(Rows("y", hiddenSize));
        string input = "x";
        for (int layer = 0; layer < layers; layer++)
        {
            string output = layer == layers - 1 ? "y" : Name("out");
            AddWeight("gate_proj", hiddenSize, intermediateSize, 0);
            AddWeight("up_proj", hiddenSize, intermediateSize, 1);
            AddWeight("down_proj", intermediateSize, hiddenSize, 2);
            AddNode("MatMul", Name("gate"), input, Name("gate_proj"));
            AddNode("MatMul", Name("up"), input, Name("up_proj"));
            AddNode("Sigmoid", Name("sigmoid"), Name("gate"));
            AddNode("Mul", Name("silu"), Name("gate"), Name("sigmoid"));
            AddNode("Mul", Name("product"), Name("silu"), Name("up"));
            AddNode("MatMul", output, Name("product"), Name("down_proj"));
            input = output;

            string Name(string part) => string.Create(CultureInfo.InvariantCulture, $"layers.{layer}.{part}");

            void AddWeight(string part, int rows, int columns, int index) =>
                graph.Initializer.Add(Weight(Name(part), rows, columns, fileName + DataSuffix, (layer * 3L) + index));
        }

        ModelProto model = new() { IrVersion = IrVersion, ProducerName = "cats", Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = Opset });
        return model;

        void AddNode(string type, string output, params string[] inputs)
        {
            NodeProto node = new() { OpType = type, Name = output };
            node.Input.Add(inputs);
            node.Output.Add(output);
            graph.Node.Add(node);
        }
    }

    private static TensorProto Weight(string name, int rows, int columns, string dataFile, long index)
    {
        long bytes = (long)rows * columns * sizeof(float);
        TensorProto tensor = new()
        {
            Name = name,
            DataType = (int)TensorProto.Types.DataType.Float,
            DataLocation = TensorProto.Types.DataLocation.External,
        };
        tensor.Dims.Add([rows, columns]);
        AddEntry("location", dataFile);
        AddEntry("offset", (index * bytes).ToString(CultureInfo.InvariantCulture));
        AddEntry("length", bytes.ToString(CultureInfo.InvariantCulture));
        return tensor;

        void AddEntry(string key, string value) => tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
    }

    private static ValueInfoProto Rows(string name, int width)
    {
        TensorShapeProto shape = new();
        shape.Dim.Add(new TensorShapeProto.Types.Dimension { DimParam = "rows" });
        shape.Dim.Add(new TensorShapeProto.Types.Dimension { DimValue = width });
        TypeProto.Types.Tensor tensor = new() { ElemType = (int)TensorProto.Types.DataType.Float, Shape = shape };
        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = tensor } };
    }
}
