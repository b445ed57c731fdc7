// SPDX-License-Identifier: MIT
// Writes the body of a model-local function node by node.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>A function of domain ai.cats in the making.</summary>
/// <param name="schema">The operator that it defines.</param>
/// <param name="opset">The version of ONNX's operators that the body uses.</param>
internal sealed class FunctionBuilder(OpSchema schema, long opset)
{
    private readonly FunctionProto _function = new() { Name = schema.Name, Domain = OpSchemas.Domain };

    /// <summary>The version of ONNX's operators.</summary>
    public long Opset { get; } = opset;

    /// <summary>Adds a node with one output.</summary>
    /// <param name="output">The output.</param>
    /// <param name="opType">The operator.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="attributes">Its attributes.</param>
    /// <returns>The output.</returns>
    public string Add(string output, string opType, string[] inputs, params AttributeProto[] attributes)
    {
        _function.Node.Add(NodeBuilder.Node(opType, inputs, [output], attributes));
        return output;
    }

    /// <summary>Adds a constant of 64-bit integers, [n].</summary>
    /// <param name="output">The output.</param>
    /// <param name="values">Its values.</param>
    /// <returns>The output.</returns>
    public string Integers(string output, params long[] values)
    {
        _function.Node.Add(NodeBuilder.Integers(output, values));
        return output;
    }

    /// <summary>Adds a zero of another value's type: by CastLike, before opset 15 as a constant of the type asked for.</summary>
    /// <param name="like">The value.</param>
    /// <param name="elementType">Its type.</param>
    /// <returns>The zero, a scalar.</returns>
    public string Zero(string like, int elementType)
    {
        if (Opset >= 15)
        {
            Add("zero_float", "Constant", [], NodeBuilder.Tensor("value", NodeBuilder.Floats("", [0f], scalar: true)));
            return Add("zero", "CastLike", ["zero_float", like]);
        }

        byte[] bytes = new byte[Matching.ElementTypes.Size(elementType)];
        TensorProto zero = new() { DataType = elementType, RawData = Google.Protobuf.ByteString.CopyFrom(bytes) };
        return Add("zero", "Constant", [], NodeBuilder.Tensor("value", zero));
    }

    /// <summary>Reshapes to a computed shape in which 0 means 0.</summary>
    /// <param name="output">The output.</param>
    /// <param name="data">The value.</param>
    /// <param name="shape">The shape.</param>
    /// <returns>The output.</returns>
    public string Reshape(string output, string data, string shape) => Opset >= 14
        ? Add(output, "Reshape", [data, shape], NodeBuilder.Int("allowzero", 1))
        : Add(output, "Reshape", [data, shape]);

    /// <summary>p = threshold_scale * threshold, and whether abs(activated) lies below it: bool [rows, I].</summary>
    /// <param name="activated">[rows, I].</param>
    public string Drop(string activated)
    {
        Add("a_float", "Cast", [activated], NodeBuilder.Int("to", (int)TensorProto.Types.DataType.Float));
        Add("a_abs", "Abs", ["a_float"]);
        Integers("row_shape", -1, 1);
        Add("scale", "Reshape", ["threshold_scale", "row_shape"]);
        Add("p", "Mul", ["scale", "threshold"]);
        return Add("drop", "Less", ["a_abs", "p"]);
    }

    /// <summary>The function.</summary>
    /// <param name="overload">Its overload; "" for the first type of a model.</param>
    public FunctionProto Build(string overload)
    {
        _function.Input.AddRange(schema.Inputs);
        _function.Output.AddRange(schema.Outputs);
        _function.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = Opset });
        if (overload.Length > 0)
        {
            _function.Overload = overload;
        }

        return _function;
    }
}
