// SPDX-License-Identifier: MIT
// What the passes that insert operators share: the model, its index, its layers, new names.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Thresholds;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>An MLP that a pass works on.</summary>
/// <param name="Match">Where it is.</param>
/// <param name="Layer">Its layer.</param>
/// <param name="Name">Its name for people.</param>
internal sealed record MlpSite(GatedMlpMatch Match, int Layer, string Name);

/// <summary>A model on its way through the passes.</summary>
/// <param name="Model">The model; its graph is edited.</param>
/// <param name="Index">The graph before the edits.</param>
/// <param name="Names">New names.</param>
/// <param name="Sites">The MLPs to work on.</param>
/// <param name="Layers">Thresholds by layer; empty for passes that need none.</param>
internal sealed record PassContext(OnnxModel Model, GraphIndex Index, NameSource Names, IReadOnlyList<MlpSite> Sites, IReadOnlyList<LayerThresholds> Layers)
{
    /// <summary>The edits.</summary>
    public GraphEditor Editor { get; } = new(Index);

    /// <summary>What a person should know.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>The nodes of ai.cats that were put in, with their type T.</summary>
    public List<(NodeProto Node, int ElementType)> Inserted { get; } = [];

    /// <summary>Where moved weights come from, for the way back.</summary>
    public WeightMoves Moves { get; } = new();
}
