// SPDX-License-Identifier: MIT
// What a language model's graph takes and gives, understood from the names, types and shapes of its inputs and outputs.
using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Session;

/// <summary>The keys and values of one layer in a graph: float tensors [batch, KeyValueHeads, tokens, HeadDim].</summary>
/// <param name="PastKey">Input with the keys of earlier tokens.</param>
/// <param name="PastValue">Input with their values.</param>
/// <param name="PresentKey">Output with the keys of all tokens.</param>
/// <param name="PresentValue">Output with their values.</param>
/// <param name="KeyValueHeads">Heads.</param>
/// <param name="HeadDim">Size of a head.</param>
public sealed record LayerCache(string PastKey, string PastValue, string PresentKey, string PresentValue, int KeyValueHeads, int HeadDim);

/// <summary>An input that is known by its role.</summary>
/// <param name="Name">Its name in the graph.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Dimensions">Its shape, -1 where it is free.</param>
public sealed record RoleInput(string Name, TensorElementType Type, IReadOnlyList<int> Dimensions);

/// <summary>The inputs and outputs of a language model's graph, by role.</summary>
public sealed class ModelSignature
{
    /// <summary>The name of the threshold scale in rewritten models.</summary>
    public const string ThresholdScaleName = "cats.threshold_scale";

    private ModelSignature()
    {
    }

    /// <summary>Token ids [batch, sequence].</summary>
    public RoleInput InputIds { get; private init; } = null!;

    /// <summary>1 for each token to attend to, [batch, past + sequence]; null where the graph has none.</summary>
    public RoleInput? AttentionMask { get; private init; }

    /// <summary>Positions [batch, sequence]; null where the graph has none.</summary>
    public RoleInput? PositionIds { get; private init; }

    /// <summary>Whether the branch with a cache is taken, bool [1] (merged Optimum graphs); null where the graph has none.</summary>
    public RoleInput? UseCacheBranch { get; private init; }

    /// <summary>The overridable cats.threshold_scale of a rewritten model, float [] ; null where the graph has none.</summary>
    public RoleInput? ThresholdScale { get; private init; }

    /// <summary>Keys and values, layer by layer; empty for a graph without a cache.</summary>
    public IReadOnlyList<LayerCache> Layers { get; private init; } = [];

    /// <summary>Whether the graph takes and gives keys and values.</summary>
    public bool HasCache => Layers.Count > 0;

    /// <summary>Element type of keys and values.</summary>
    public TensorElementType CacheType { get; private init; }

    /// <summary>The output with logits [batch, sequence, vocabulary].</summary>
    public string Logits { get; private init; } = "";

    /// <summary>Element type of the logits: float, float16 or bfloat16.</summary>
    public TensorElementType LogitsType { get; private init; }

    /// <summary>Number of token ids.</summary>
    public int VocabSize { get; private init; }

    /// <summary>Whether the graph gives logits [batch, 1, vocabulary] for the last token alone, whatever it was given.</summary>
    public bool LogitsOfLastTokenOnly { get; private init; }

    /// <summary>How many tokens one run takes where the graph fixes that (1 in decode-only graphs), else null.</summary>
    public int? FixedSequence { get; private init; }

    /// <summary>Outputs that are neither logits nor keys nor values.</summary>
    public IReadOnlyList<string> ExtraOutputs { get; private init; } = [];

    /// <summary>Understands a session's graph.</summary>
    /// <param name="session">The session.</param>
    /// <param name="folder">Its files, for sizes that the graph leaves free.</param>
    /// <param name="extraOutputs">Outputs that were added to the graph and have no role.</param>
    /// <exception cref="InvalidDataException">The graph is no language model that is understood; the message names the input or output.</exception>
    internal static ModelSignature Read(InferenceSession session, ModelFolder folder, IReadOnlyCollection<string> extraOutputs)
    {
        ModelConfig config = folder.Config;
        List<RoleInput> past = [];
        Dictionary<string, RoleInput> roles = [];
        foreach (string name in session.InputNames)
        {
            RoleInput input = Describe(name, session.InputMetadata[name]);
            switch (name)
            {
                case "input_ids" or "attention_mask" or "position_ids" or "use_cache_branch" or ThresholdScaleName:
                    roles.Add(name, input);
                    break;
                default:
                    if (input.Dimensions.Count != 4 || !IsFloat(input.Type))
                    {
                        throw new InvalidDataException($"Input '{name}' ({input.Type} [{string.Join(", ", input.Dimensions)}]) is not understood: expected input_ids, "
                            + "attention_mask, position_ids, use_cache_branch, or keys and values [batch, heads, tokens, head size].");
                    }

                    past.Add(input);
                    break;
            }
        }

        if (!roles.TryGetValue("input_ids", out RoleInput? ids) || ids.Dimensions.Count != 2 || !IsInteger(ids.Type))
        {
            throw new InvalidDataException($"The graph is no language model: it has no input 'input_ids' of integers [batch, sequence]; its inputs are {string.Join(", ", session.InputNames)}.");
        }

        if (!roles.ContainsKey(ThresholdScaleName) && session.OverridableInitializerMetadata.TryGetValue(ThresholdScaleName, out NodeMetadata? scale))
        {
            roles.Add(ThresholdScaleName, Describe(ThresholdScaleName, scale));
        }

        string logits = FindLogits(session, config, extraOutputs);
        NodeMetadata logitsShape = session.OutputMetadata[logits];
        List<string> present = [.. session.OutputNames.Where(name => name != logits && !extraOutputs.Contains(name)
            && session.OutputMetadata[name] is { IsTensor: true } output && output.Dimensions.Length == 4 && IsFloat(output.ElementDataType))];
        CacheNames names = CacheNames.Match([.. past.Select(input => input.Name)], past.Count == 0 ? [] : present);
        int vocabulary = logitsShape.Dimensions[^1] > 0 ? logitsShape.Dimensions[^1] : config.VocabSize
            ?? throw new InvalidDataException($"Output '{logits}' leaves the vocabulary's size free and no config.json says vocab_size.");
        if (config.HeadDim is null && past.Any(input => input.Dimensions[3] <= 0))
        {
            config = config with { HeadDim = HeadSize.Find(folder.ModelPath) };
        }

        HashSet<string> known = [logits, .. names.Layers.SelectMany(layer => (string[])[layer.PresentKey, layer.PresentValue])];
        return new ModelSignature
        {
            InputIds = ids,
            AttentionMask = roles.GetValueOrDefault("attention_mask"),
            PositionIds = roles.GetValueOrDefault("position_ids"),
            UseCacheBranch = roles.GetValueOrDefault("use_cache_branch"),
            ThresholdScale = roles.GetValueOrDefault(ThresholdScaleName),
            Layers = [.. names.Layers.Select(layer => Sized(layer, session, config))],
            CacheType = past.Count > 0 ? past[0].Type : TensorElementType.Float,
            Logits = logits,
            LogitsType = logitsShape.ElementDataType,
            VocabSize = vocabulary,
            LogitsOfLastTokenOnly = logitsShape.Dimensions[1] == 1 && ids.Dimensions[1] != 1,
            FixedSequence = ids.Dimensions[1] > 0 ? ids.Dimensions[1] : null,
            ExtraOutputs = [.. session.OutputNames.Where(name => !known.Contains(name))],
        };
    }

    private static string FindLogits(InferenceSession session, ModelConfig config, IReadOnlyCollection<string> extraOutputs)
    {
        string[] candidates = [.. session.OutputNames.Where(name => !extraOutputs.Contains(name)
            && session.OutputMetadata[name] is { IsTensor: true } output && output.Dimensions.Length == 3 && IsFloat(output.ElementDataType))];
        return candidates.Contains("logits") ? "logits"
            : candidates.FirstOrDefault(name => session.OutputMetadata[name].Dimensions[2] == config.VocabSize)
            ?? (candidates.Length == 1 ? candidates[0] : null)
            ?? throw new InvalidDataException($"The graph has no output with logits [batch, sequence, vocabulary]; its outputs are {string.Join(", ", session.OutputNames)}.");
    }

    private static LayerCache Sized(LayerCache layer, InferenceSession session, ModelConfig config)
    {
        int[] past = session.InputMetadata[layer.PastKey].Dimensions;
        int[] present = session.OutputMetadata[layer.PresentKey].Dimensions;
        return layer with
        {
            KeyValueHeads = Size(1, config.NumKeyValueHeads, "num_key_value_heads"),
            HeadDim = Size(3, config.HeadDim, "head_dim"),
        };

        int Size(int axis, int? fromFiles, string name)
        {
            int inGraph = Math.Max(past[axis], present[axis]);
            if (inGraph > 0 && fromFiles is int files && files != inGraph)
            {
                throw new InvalidDataException($"Input '{layer.PastKey}' has {inGraph} on axis {axis}, but the configuration says {name} {files}.");
            }

            return inGraph > 0 ? inGraph : fromFiles
                ?? throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                    $"Input '{layer.PastKey}' leaves axis {axis} free and no config.json or genai_config.json says {name}."));
        }
    }

    private static RoleInput Describe(string name, NodeMetadata metadata) => metadata.IsTensor
        ? new RoleInput(name, metadata.ElementDataType, metadata.Dimensions)
        : throw new InvalidDataException($"Input '{name}' is no tensor.");

    private static bool IsFloat(TensorElementType type) => type is TensorElementType.Float or TensorElementType.Float16 or TensorElementType.BFloat16;

    private static bool IsInteger(TensorElementType type) => type is TensorElementType.Int64 or TensorElementType.Int32;
}
