// SPDX-License-Identifier: MIT
// down(silu(gate(x)) * up(x))  ->  SparseGatedMlp(x, gate, up, down, threshold, biases, cats.threshold_scale)
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Puts one operator in the place of each MLP.</summary>
internal sealed class FuseSparseGatedMlp : IRewritePass
{
    /// <inheritdoc/>
    public string Requires => "thresholds of the layers; matches of the graph as it stands";

    /// <inheritdoc/>
    public string Ensures => "SparseGatedMlp nodes with both outputs written, weights as [intermediate, hidden]";

    /// <inheritdoc/>
    public void Run(PassContext context)
    {
        foreach (MlpSite site in context.Sites)
        {
            GatedMlpMatch match = site.Match;
            NodeProto node = NodeBuilder.Node(
                OpSchemas.SparseGatedMlp.Name,
                [
                    match.Input.Name,
                    context.Moves.ByOutput(match.GateUp.Gate.Weight!, "gate", context),
                    context.Moves.ByOutput(match.GateUp.Up.Weight!, "up", context),
                    context.Moves.ByInput(match.Down.Weight!, context),
                    AddThresholds.NameOf(site.Layer),
                    context.Moves.Vector(match.GateUp.Gate.Bias, "gate_bias", context),
                    context.Moves.Vector(match.GateUp.Up.Bias, "up_bias", context),
                    context.Moves.Vector(match.Down.Bias, "down_bias", context),
                    OpSchemas.ThresholdScale,
                ],
                [match.Output.Name, ""]);
            node.Domain = OpSchemas.Domain;
            node.Name = context.Names.Fresh($"{site.Name}/{OpSchemas.SparseGatedMlp.Name}");
            context.Inserted.Add((node, site.Match.ElementType));
            NodeProto last = match.Nodes.MaxBy(context.Index.PositionOf)!;
            context.Editor.Replace(match.Nodes, [node], last);
        }

        context.Editor.Apply();
    }
}
