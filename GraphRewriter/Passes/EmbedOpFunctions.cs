// SPDX-License-Identifier: MIT
// Puts each operator that a model uses into the file as a function in standard ONNX: without the library the model runs.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Adds model-local functions, the import of ai.cats, and the IR version that they need.</summary>
internal sealed class EmbedOpFunctions : IRewritePass
{
    private const long FunctionsIrVersion = 8;
    private const long OverloadsIrVersion = 10;

    /// <inheritdoc/>
    public string Requires => "operators of ai.cats in the graph";

    /// <inheritdoc/>
    public string Ensures => "a function for each of them, at the model's own opset";

    /// <summary>The model's version of ONNX's operators.</summary>
    /// <param name="model">The model.</param>
    public static long OpsetOf(ModelProto model) =>
        model.OpsetImport.FirstOrDefault(import => GraphText.IsDefaultDomain(import.Domain))?.Version ?? 1;

    /// <inheritdoc/>
    public void Run(PassContext context)
    {
        ModelProto model = context.Model.Proto;
        long opset = OpsetOf(model);
        if (model.OpsetImport.All(import => import.Domain != OpSchemas.Domain))
        {
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = OpSchemas.Domain, Version = OpSchemas.Version });
        }

        Dictionary<(string Op, int Type), string> overloads = [];
        foreach ((NodeProto node, int type) in context.Inserted)
        {
            if (!overloads.TryGetValue((node.OpType, type), out string? overload))
            {
                // The first type keeps the plain name, so that files of one type need no overloads.
                overload = overloads.Keys.Any(key => key.Op == node.OpType) ? ElementTypes.Name(type) : "";
                overloads.Add((node.OpType, type), overload);
                model.Functions.Add(node.OpType == OpSchemas.SparseGatedMlp.Name
                    ? OpFunctions.SparseGatedMlp(opset, type, overload)
                    : OpFunctions.CatsThreshold(opset, type, overload));
            }

            if (overload.Length > 0)
            {
                node.Overload = overload;
            }
        }

        long needed = overloads.Values.Any(overload => overload.Length > 0) ? OverloadsIrVersion : FunctionsIrVersion;
        model.IrVersion = Math.Max(model.IrVersion, needed);
    }
}
