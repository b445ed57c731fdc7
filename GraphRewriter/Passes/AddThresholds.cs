// SPDX-License-Identifier: MIT
// Adds one threshold tensor a layer, and the input that scales them all.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Thresholds;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Adds cats.threshold.N and cats.threshold_scale to the main graph.</summary>
internal sealed class AddThresholds : IRewritePass
{
    private const string Prefix = "cats.threshold.";

    /// <inheritdoc/>
    public string Requires => "no value named cats.threshold_scale";

    /// <inheritdoc/>
    public string Ensures => "a threshold for each layer, and an overridable input cats.threshold_scale of 1";

    /// <summary>The name of a layer's thresholds.</summary>
    /// <param name="layer">The layer.</param>
    public static string NameOf(int layer) => Prefix + layer.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A layer's thresholds: float [] or [intermediate].</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="thresholds">Its thresholds.</param>
    public static TensorProto Tensor(int layer, LayerThresholds thresholds) =>
        NodeBuilder.Floats(NameOf(layer), thresholds.Thresholds, scalar: thresholds.Thresholds.Length == 1);

    /// <inheritdoc/>
    public void Run(PassContext context)
    {
        GraphProto graph = context.Model.Proto.Graph;
        Claim(context, OpSchemas.ThresholdScale);
        graph.Input.Add(NodeBuilder.Info(OpSchemas.ThresholdScale, TensorProto.Types.DataType.Float, null));
        graph.Initializer.Add(NodeBuilder.Floats(OpSchemas.ThresholdScale, [1f], scalar: true));
        foreach (int layer in context.Sites.Select(site => site.Layer).Distinct())
        {
            Claim(context, NameOf(layer));
            graph.Initializer.Add(Tensor(layer, context.Layers[layer]));
        }
    }

    private static void Claim(PassContext context, string name)
    {
        if (context.Names.Fresh(name) != name)
        {
            throw new InvalidDataException($"The model has a value named '{name}' already, which rewritten models use.");
        }
    }
}
