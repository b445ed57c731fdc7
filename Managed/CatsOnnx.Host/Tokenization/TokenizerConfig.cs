// SPDX-License-Identifier: MIT
// What tokenizer_config.json and special_tokens_map.json say about special tokens.
using System.Text.Json;

namespace CatsOnnx.Tokenization;

/// <summary>The special tokens that the files beside a tokenizer name; null where they name none.</summary>
internal sealed record TokenizerConfig(string? BosToken, string? EosToken, bool? AddBosToken, bool? AddEosToken)
{
    /// <summary>Reads tokenizer_config.json, then special_tokens_map.json, in the folder of <paramref name="tokenizerPath"/>.</summary>
    /// <exception cref="InvalidDataException">A file is there and is no JSON object, or a token is neither text nor object.</exception>
    public static TokenizerConfig ReadBeside(string tokenizerPath)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(tokenizerPath))!;
        TokenizerConfig config = new(null, null, null, null);
        foreach (string name in (string[])["tokenizer_config.json", "special_tokens_map.json"])
        {
            string path = Path.Combine(folder, name);
            if (!File.Exists(path))
            {
                continue;
            }

            using JsonDocument document = JsonFile.Open(path);
            JsonFile root = new(path, document.RootElement);
            config = new TokenizerConfig(
                config.BosToken ?? Token(root, "bos_token"),
                config.EosToken ?? Token(root, "eos_token"),
                config.AddBosToken ?? root.OptionalFlag("add_bos_token"),
                config.AddEosToken ?? root.OptionalFlag("add_eos_token"));
        }

        return config;
    }

    /// <summary>A token that a file names, as text or as an object with its content; null where it names none.</summary>
    public static string? Token(JsonFile root, string name)
    {
        if (root.Optional(name) is not JsonFile token)
        {
            return null;
        }

        return token.Element.ValueKind == JsonValueKind.Object ? token.Required("content").Text() : token.Text();
    }
}
