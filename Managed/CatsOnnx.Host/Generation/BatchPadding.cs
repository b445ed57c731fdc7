// SPDX-License-Identifier: MIT
// Whether a graph can run sequences of unequal length together, and where it wants their padding.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Session;

namespace CatsOnnx.Generation;

/// <summary>How sequences of unequal length are put into one batch.</summary>
/// <param name="Side">Where padding goes.</param>
/// <param name="Refusal">Why only sequences of equal length run together; null where any do.</param>
internal sealed record BatchPadding(PaddingSide Side, string? Refusal)
{
    /// <summary>Looks at a session's graph.</summary>
    public static BatchPadding Of(ModelSession session)
    {
        if (!session.Signature.HasCache)
        {
            return new BatchPadding(PaddingSide.Left, "the graph has no cache of keys and values");
        }

        try
        {
            OnnxModel model = OnnxModel.Load(session.Folder.ModelPath);
            int nodes = model.Proto.Graph.Node.Concat(model.Proto.Functions.SelectMany(function => function.Node))
                .Count(node => node is { OpType: "GroupQueryAttention", Domain: "com.microsoft" });
            return Of(nodes, session.Signature.Layers.Count, session.Signature.AttentionMask is not null, session.Signature.PositionIds is not null);
        }
        catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return new BatchPadding(PaddingSide.Left, $"'{session.Folder.ModelPath}' cannot be read to see its attention: {error.Message}");
        }
    }

    /// <summary>
    /// The rule. GroupQueryAttention takes from the mask's sum where each sequence's next key goes and what its position is.
    /// Other attention puts new keys after the last column, whatever the mask says: sequences must end together, and
    /// only position_ids can tell the graph that a sequence did not begin in the first column.
    /// </summary>
    /// <param name="groupQueryNodes">Nodes of GroupQueryAttention.</param>
    /// <param name="layers">Layers with a cache.</param>
    /// <param name="mask">Whether the graph takes an attention_mask.</param>
    /// <param name="positions">Whether it takes position_ids.</param>
    public static BatchPadding Of(int groupQueryNodes, int layers, bool mask, bool positions)
    {
        if (!mask)
        {
            return new BatchPadding(PaddingSide.Left, "the graph has no input attention_mask, so that padding cannot be hidden from it");
        }

        if (groupQueryNodes > 0 && groupQueryNodes < layers)
        {
            return new BatchPadding(PaddingSide.Left,
                $"{groupQueryNodes} of the {layers} attention layers are GroupQueryAttention, which wants padding on the right, the others on the left");
        }

        return groupQueryNodes > 0 ? new BatchPadding(PaddingSide.Right, null)
            : new BatchPadding(PaddingSide.Left, positions ? null : "the graph has no input position_ids: it takes positions from the length of the cache, padding among it");
    }
}
