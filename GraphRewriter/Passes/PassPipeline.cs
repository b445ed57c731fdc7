// SPDX-License-Identifier: MIT
// The passes of each output form, in order.
namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Runs passes.</summary>
internal static class PassPipeline
{
    /// <summary>SparseGatedMlp in the place of each MLP.</summary>
    public static IReadOnlyList<IRewritePass> Fused { get; } = [new AddThresholds(), new FuseSparseGatedMlp(), new RemoveDeadNodes(), new EmbedOpFunctions()];

    /// <summary>CatsThreshold between SiLU and the product.</summary>
    public static IReadOnlyList<IRewritePass> Unfused { get; } = [new AddThresholds(), new InsertCatsThresholds(), new RemoveDeadNodes(), new EmbedOpFunctions()];

    /// <summary>Runs passes one after the other.</summary>
    /// <param name="passes">The passes.</param>
    /// <param name="context">The model.</param>
    public static void Run(IEnumerable<IRewritePass> passes, PassContext context)
    {
        foreach (IRewritePass pass in passes)
        {
            pass.Run(context);
        }
    }
}
