// SPDX-License-Identifier: MIT
// Whether the norms before sparse MLPs join them (ModelSessionOptions.FuseNorms), and that for a model in memory.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Native;
using Google.Protobuf;

namespace CatsOnnx.Session;

/// <summary>Fuses norms where a session is opened.</summary>
internal static class NormFusion
{
    /// <summary>Whether a session of these options fuses. Asked for models with nodes of ai.cats alone: others do not load the
    /// native library to be looked at.</summary>
    /// <param name="options">The session's options.</param>
    public static bool IsWanted(ModelSessionOptions options) => options.UseCatsKernels != false
        && (options.FuseNorms ?? (!options.Device.IsCpu && CustomOpLibrary.HasCudaKernel(OpSchemas.SkipRMSNormSparseGatedMlp.Name)));

    /// <summary>Fuses in a model of bytes. Parsing copies inline weights, so it is left out where there is no norm to fuse. What
    /// does not parse goes on as it is: ONNX Runtime says what is wrong with it.</summary>
    /// <param name="model">The model's bytes; they are not changed.</param>
    /// <returns>The bytes to open, and how many norms were fused.</returns>
    public static (byte[] Model, int Norms) Apply(byte[] model)
    {
        if (model.AsSpan().IndexOf("SkipSimplifiedLayerNormalization"u8) < 0)
        {
            return (model, 0);
        }

        try
        {
            ModelProto proto = ModelProto.Parser.ParseFrom(model);
            int norms = FuseSkipRMSNorm.Apply(proto);
            return (norms > 0 ? proto.ToByteArray() : model, norms);
        }
        catch (InvalidProtocolBufferException)
        {
            return (model, 0);
        }
    }
}
