// SPDX-License-Identifier: MIT
// The sizes and special ids of a language model, from config.json, generation_config.json or genai_config.json.
using System.Text.Json;

namespace CatsOnnx.Session;

/// <summary>What the files beside a model say about it. Null: no file says so. A <see cref="ModelSession"/> fills in what
/// its graph shows.</summary>
public sealed record ModelConfig
{
    /// <summary>The architecture, such as "llama" or "mistral".</summary>
    public string? ModelType { get; init; }

    /// <summary>Size of a token's hidden state.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Neurons of one MLP.</summary>
    public int? IntermediateSize { get; init; }

    /// <summary>Number of layers.</summary>
    public int? NumHiddenLayers { get; init; }

    /// <summary>Query heads of a layer.</summary>
    public int? NumAttentionHeads { get; init; }

    /// <summary>Key and value heads of a layer.</summary>
    public int? NumKeyValueHeads { get; init; }

    /// <summary>Size of one head.</summary>
    public int? HeadDim { get; init; }

    /// <summary>Number of token ids.</summary>
    public int? VocabSize { get; init; }

    /// <summary>The most tokens a sequence may have.</summary>
    public int? ContextLength { get; init; }

    /// <summary>How many tokens back attention sees, where that is limited.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>The id that begins a sequence.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>The ids that end a sequence.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>The id that fills unused places.</summary>
    public int? PadTokenId { get; init; }

    /// <summary>Whether past and present keys and values may be one buffer (GenAI's past_present_share_buffer).</summary>
    public bool PastPresentShareBuffer { get; init; }

    /// <summary>Reads a Hugging Face config.json, and generation_config.json beside it, whose special ids win.</summary>
    /// <exception cref="InvalidDataException">A field has the wrong type; the message names it.</exception>
    internal static ModelConfig ReadHuggingFace(string configPath, string? generationConfigPath)
    {
        using JsonDocument document = JsonFile.Open(configPath);
        JsonFile root = new(configPath, document.RootElement);
        JsonFile sizes = root.Optional("text_config") ?? root; // models with pictures nest the decoder's
        int? hidden = sizes.OptionalInteger("hidden_size", 1);
        int? heads = sizes.OptionalInteger("num_attention_heads", 1);
        ModelConfig config = new()
        {
            ModelType = sizes.OptionalText("model_type"),
            HiddenSize = hidden,
            IntermediateSize = Optional(sizes, "intermediate_size"),
            NumHiddenLayers = sizes.OptionalInteger("num_hidden_layers", 1),
            NumAttentionHeads = heads,
            NumKeyValueHeads = sizes.OptionalInteger("num_key_value_heads", 1) ?? heads,
            HeadDim = sizes.OptionalInteger("head_dim", 1) ?? (heads is int count && hidden is int size && size % count == 0 ? size / count : null),
            VocabSize = sizes.OptionalInteger("vocab_size", 1),
            ContextLength = sizes.OptionalInteger("max_position_embeddings", 1),
            SlidingWindow = (sizes.OptionalFlag("use_sliding_window") ?? true) ? sizes.OptionalInteger("sliding_window", 1) : null,
            BosTokenId = Id(root, "bos_token_id"),
            EosTokenIds = Ids(root, "eos_token_id"),
            PadTokenId = Id(root, "pad_token_id"),
        };
        if (generationConfigPath is null)
        {
            return config;
        }

        using JsonDocument generation = JsonFile.Open(generationConfigPath);
        JsonFile ids = new(generationConfigPath, generation.RootElement);
        IReadOnlyList<int> eos = Ids(ids, "eos_token_id");
        return config with
        {
            BosTokenId = Id(ids, "bos_token_id") ?? config.BosTokenId,
            EosTokenIds = eos.Count > 0 ? eos : config.EosTokenIds,
            PadTokenId = Id(ids, "pad_token_id") ?? config.PadTokenId,
        };
    }

    /// <summary>Reads a GenAI genai_config.json; also gives the decoder's file name.</summary>
    /// <exception cref="InvalidDataException">A field is missing or has the wrong type; the message names it.</exception>
    internal static (ModelConfig Config, string FileName) ReadGenAI(string path)
    {
        using JsonDocument document = JsonFile.Open(path);
        JsonFile root = new(path, document.RootElement);
        JsonFile model = root.Required("model");
        JsonFile decoder = model.Required("decoder");
        int? heads = decoder.OptionalInteger("num_attention_heads", 1);
        JsonFile? search = root.Optional("search");
        return (new ModelConfig
        {
            ModelType = model.OptionalText("type"),
            HiddenSize = decoder.OptionalInteger("hidden_size", 1),
            NumHiddenLayers = decoder.OptionalInteger("num_hidden_layers", 1),
            NumAttentionHeads = heads,
            NumKeyValueHeads = decoder.OptionalInteger("num_key_value_heads", 1) ?? heads,
            HeadDim = decoder.OptionalInteger("head_size", 1),
            VocabSize = model.OptionalInteger("vocab_size", 1),
            ContextLength = model.OptionalInteger("context_length", 1),
            SlidingWindow = decoder.Optional("sliding_window")?.OptionalInteger("window_size", 1),
            BosTokenId = Id(model, "bos_token_id"),
            EosTokenIds = Ids(model, "eos_token_id"),
            PadTokenId = Id(model, "pad_token_id"),
            PastPresentShareBuffer = search?.OptionalFlag("past_present_share_buffer") ?? false,
        }, decoder.Required("filename").Text());
    }

    // Some architectures give a list with one entry a layer; equal entries count as one number, others as unknown.
    private static int? Optional(JsonFile root, string name)
    {
        if (root.Optional(name) is not JsonFile field)
        {
            return null;
        }

        if (field.Element.ValueKind != JsonValueKind.Array)
        {
            return field.Integer(1);
        }

        int[] values = [.. field.Items().Select(item => item.Integer(1)).Distinct()];
        return values.Length == 1 ? values[0] : null;
    }

    // A negative id means "none" in some files.
    private static int? Id(JsonFile root, string name)
    {
        IReadOnlyList<int> ids = Ids(root, name);
        return ids.Count > 0 ? ids[0] : null;
    }

    private static IReadOnlyList<int> Ids(JsonFile root, string name)
    {
        if (root.Optional(name) is not JsonFile field)
        {
            return [];
        }

        IEnumerable<JsonFile> items = field.Element.ValueKind == JsonValueKind.Array ? field.Items() : [field];
        return [.. items.Select(item => item.Integer(-1)).Where(id => id >= 0).Distinct()];
    }
}
