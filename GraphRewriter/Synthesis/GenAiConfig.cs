// SPDX-License-Identifier: MIT
// The genai_config.json of a made decoder, with the fields that ONNX Runtime GenAI 0.18's builder writes.
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CatsOnnx.GraphRewriter.Synthesis;

/// <summary>Writes genai_config.json.</summary>
internal static class GenAiConfig
{
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, IndentSize = 4 };

    /// <summary>The file's text for a shape.</summary>
    public static string Of(DecoderShape shape)
    {
        JsonObject decoder = new()
        {
            ["session_options"] = new JsonObject { ["log_id"] = "onnxruntime-genai", ["provider_options"] = new JsonArray() },
            ["filename"] = "model.onnx",
            ["head_size"] = shape.HeadSize,
            ["hidden_size"] = shape.HiddenSize,
            ["inputs"] = new JsonObject
            {
                ["input_ids"] = "input_ids",
                ["attention_mask"] = "attention_mask",
                ["past_key_names"] = "past_key_values.%d.key",
                ["past_value_names"] = "past_key_values.%d.value",
            },
            ["outputs"] = new JsonObject
            {
                ["logits"] = "logits",
                ["present_key_names"] = "present.%d.key",
                ["present_value_names"] = "present.%d.value",
            },
            ["num_attention_heads"] = shape.Heads,
            ["num_hidden_layers"] = shape.Layers,
            ["num_key_value_heads"] = shape.KeyValueHeads,
        };
        JsonObject config = new()
        {
            ["model"] = new JsonObject
            {
                ["bos_token_id"] = 1,
                ["context_length"] = shape.MaxPositions,
                ["decoder"] = decoder,
                ["eos_token_id"] = 2,
                ["pad_token_id"] = 2,
                ["type"] = shape.Name.StartsWith("mistral", StringComparison.Ordinal) ? "mistral" : "llama",
                ["vocab_size"] = shape.VocabularySize,
            },
            ["search"] = new JsonObject
            {
                ["do_sample"] = false,
                ["max_length"] = shape.MaxPositions,
                ["min_length"] = 0,
                ["num_beams"] = 1,
                ["past_present_share_buffer"] = true,
                ["temperature"] = 1.0,
                ["top_k"] = 50,
                ["top_p"] = 1.0,
            },
        };
        return config.ToJsonString(s_indented) + "\n";
    }
}
