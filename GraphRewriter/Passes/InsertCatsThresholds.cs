// SPDX-License-Identifier: MIT
// silu(gate) ── Mul  ->  silu(gate) ── CatsThreshold ── Mul: the unfused form; weights and projections stay as they are.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Puts CatsThreshold between SiLU and the product.</summary>
internal sealed class InsertCatsThresholds : IRewritePass
{
    /// <inheritdoc/>
    public string Requires => "thresholds of the layers; matches of the graph as it stands";

    /// <inheritdoc/>
    public string Ensures => "a CatsThreshold node in each MLP";

    /// <inheritdoc/>
    public void Run(PassContext context)
    {
        foreach (MlpSite site in context.Sites)
        {
            ActivatedGate gate = ActivatedGate.Of(site, context.Names);
            NodeProto product = site.Match.Product.ProductNode;
            string kept = context.Names.Fresh($"{gate.Activated}.kept");
            NodeProto node = NodeBuilder.Node(
                OpSchemas.CatsThreshold.Name, [gate.Activated, AddThresholds.NameOf(site.Layer), OpSchemas.ThresholdScale], [kept]);
            node.Domain = OpSchemas.Domain;
            node.Name = context.Names.Fresh($"{site.Name}/{OpSchemas.CatsThreshold.Name}");
            context.Inserted.Add((node, site.Match.ElementType));
            context.Editor.Replace([product], [.. gate.Before, node, gate.Product(kept)], product);
        }

        context.Editor.Apply();
    }
}
