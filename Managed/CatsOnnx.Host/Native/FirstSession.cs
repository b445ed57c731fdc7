// SPDX-License-Identifier: MIT
// ONNX Runtime enters a custom domain into one table of the process when a session first uses it: it looks, and then adds,
// without a lock (1.31.1). Two sessions made at once could both add it, and one failed: "the domain is already exist".
// So the domain gets there by a session of one node, under our lock, before any session of the caller's.
using CatsOnnx.GraphRewriter.Proto;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Native;

/// <summary>Makes the ai.cats domain known to ONNX Runtime.</summary>
internal static class FirstSession
{
    private const int Attempts = 3;

    /// <summary>Makes and closes a session with the library registered.</summary>
    /// <param name="library">The library's path.</param>
    /// <returns>Whether it was made. A rewritten model that is loaded without the library at that moment can come in between.</returns>
    public static bool Open(string library)
    {
        byte[] model = Model().ToByteArray();
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            try
            {
                using SessionOptions options = new() { IntraOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
                options.RegisterCustomOpLibraryV2(library, out _);
                using InferenceSession session = new(model, options);
                return true;
            }
            catch (OnnxRuntimeException)
            {
                // The next attempt finds the domain in the table.
            }
        }

        return false;
    }

    private static ModelProto Model()
    {
        static ValueInfoProto Scalar(string name) => new()
        {
            Name = name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)TensorProto.Types.DataType.Float, Shape = new TensorShapeProto() } },
        };
        GraphProto graph = new() { Name = "domain", Node = { new NodeProto { OpType = "Identity", Input = { "x" }, Output = { "y" } } } };
        graph.Input.Add(Scalar("x"));
        graph.Output.Add(Scalar("y"));
        return new ModelProto { IrVersion = 8, Graph = graph, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } } };
    }
}
