// SPDX-License-Identifier: MIT
// The operators in standard ONNX, as docs/op-spec.md defines them.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Model-local functions of the operators.</summary>
internal static class OpFunctions
{
    /// <summary>The oldest version of ONNX's operators that the bodies can be written in.</summary>
    public const long OldestOpset = 13;

    /// <summary>
    /// SparseGatedMlp: two Gemm of the flattened rows, SiLU, the decision in float, Where, one Gemm; active by ReduceSum.
    /// </summary>
    /// <param name="opset">The model's version of ONNX's operators.</param>
    /// <param name="elementType">T.</param>
    /// <param name="overload">The function's overload.</param>
    public static FunctionProto SparseGatedMlp(long opset, int elementType, string overload)
    {
        FunctionBuilder body = new(OpSchemas.SparseGatedMlp, opset);
        AttributeProto transposed = NodeBuilder.Int("transB", 1);
        body.Add("rows", "Flatten", ["X"], NodeBuilder.Int("axis", -1));
        body.Add("g", "Gemm", ["rows", "gate", "gate_bias"], transposed);
        body.Add("s", "Sigmoid", ["g"]);
        body.Add("a", "Mul", ["g", "s"]);
        body.Drop("a");
        body.Add("u", "Gemm", ["rows", "up", "up_bias"], transposed);
        body.Add("h_all", "Mul", ["a", "u"]);
        body.Zero("h_all", elementType);
        body.Add("h", "Where", ["drop", "zero", "h_all"]);
        body.Add("y_rows", "Gemm", ["h", "down", "down_bias"]);
        body.Add("x_shape", "Shape", ["X"]);
        body.Reshape("Y", "y_rows", "x_shape");
        body.Add("keep", "Not", ["drop"]);
        body.Add("keep_int", "Cast", ["keep"], NodeBuilder.Int("to", (int)TensorProto.Types.DataType.Int32));
        body.Integers("last", -1);
        body.Add("count", "ReduceSum", ["keep_int", "last"], NodeBuilder.Int("keepdims", 0));
        if (opset >= 15)
        {
            body.Add("lead", "Shape", ["X"], NodeBuilder.Int("end", -1));
        }
        else
        {
            body.Integers("first", 0);
            body.Add("lead", "Slice", ["x_shape", "first", "last"]);
        }

        body.Reshape("active", "count", "lead");
        return body.Build(overload);
    }

    /// <summary>CatsThreshold: the decision in float on the flattened rows, and Where.</summary>
    /// <param name="opset">The model's version of ONNX's operators.</param>
    /// <param name="elementType">T.</param>
    /// <param name="overload">The function's overload.</param>
    public static FunctionProto CatsThreshold(long opset, int elementType, string overload)
    {
        FunctionBuilder body = new(OpSchemas.CatsThreshold, opset);
        body.Add("rows", "Flatten", ["X"], NodeBuilder.Int("axis", -1));
        body.Drop("rows");
        body.Zero("rows", elementType);
        body.Add("y_rows", "Where", ["drop", "zero", "rows"]);
        body.Add("x_shape", "Shape", ["X"]);
        body.Reshape("Y", "y_rows", "x_shape");
        return body.Build(overload);
    }
}
