// SPDX-License-Identifier: MIT
// A model's chat template: the text of a conversation, as the model was trained to see it.
using System.Text;
using System.Text.Json;
using CatsOnnx.Jinja;

namespace CatsOnnx.Tokenization;

/// <summary>What a chat template is rendered with, beside the conversation.</summary>
public sealed record ChatTemplateOptions
{
    /// <summary>Whether the text ends where the assistant's answer begins.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>Tools that the assistant may call: JSON objects {"type": "function", "function": {"name", "description", "parameters"}}.</summary>
    public IReadOnlyList<JsonElement> Tools { get; init; } = [];

    /// <summary>What the template takes for the present time; null: the clock's.</summary>
    public DateTimeOffset? Now { get; init; }

    /// <summary>Further names that the template can ask for (such as "enable_thinking" of Qwen 3): JSON, text, numbers,
    /// booleans, mappings and lists of such.</summary>
    public IReadOnlyDictionary<string, object?> Variables { get; init; } = new Dictionary<string, object?>();
}

/// <summary>A chat template in Jinja, as tokenizer_config.json or chat_template.jinja holds it. Safe to use from several threads.</summary>
public sealed class ChatTemplate
{
    private const string JinjaFile = "chat_template.jinja";
    private const string ConfigFile = "tokenizer_config.json";

    private static readonly string[] s_tokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly Template _template;
    private readonly Template? _withTools; // where a model has another one for tools
    private readonly Dictionary<string, string> _tokens;

    private ChatTemplate(Template template, Template? withTools, Dictionary<string, string> tokens)
    {
        _template = template;
        _withTools = withTools;
        _tokens = tokens;
    }

    /// <summary>The names of the files that a template is looked for in.</summary>
    internal static string Files => $"{JinjaFile} and the field chat_template of {ConfigFile}";

    /// <summary>Whether the template writes tools.</summary>
    public bool SupportsTools => (_withTools ?? _template).Names.Contains("tools");

    /// <summary>Reads a template.</summary>
    /// <param name="text">Jinja.</param>
    /// <param name="bosToken">What the template writes for bos_token, or null.</param>
    /// <param name="eosToken">What it writes for eos_token, or null.</param>
    /// <exception cref="NotSupportedException">It uses a part of Jinja that is not known here; the message names it and its line.</exception>
    /// <exception cref="InvalidDataException">It is wrong; the message names the line.</exception>
    public static ChatTemplate Parse(string text, string? bosToken = null, string? eosToken = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        Dictionary<string, string> tokens = [];
        AddMissing(tokens, "bos_token", bosToken);
        AddMissing(tokens, "eos_token", eosToken);
        return new ChatTemplate(Template.Read(text, "The chat template"), null, tokens);
    }

    /// <summary>Reads a template for the special tokens of a tokenizer.</summary>
    /// <inheritdoc cref="Parse(string, string?, string?)"/>
    /// <param name="text">Jinja.</param>
    /// <param name="tokenizer">Whose bos and eos the template writes.</param>
    public static ChatTemplate Parse(string text, TextTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return Parse(text, Written(tokenizer, tokenizer.BosId), Written(tokenizer, tokenizer.EosId));
    }

    /// <summary>The template of a model, or null where its folder has none.</summary>
    /// <param name="folder">The folder with the tokenizer's files.</param>
    /// <param name="tokenizer">Names bos and eos where no file does; null: files alone.</param>
    /// <exception cref="NotSupportedException">It uses a part of Jinja that is not known here; the message names it and its line.</exception>
    /// <exception cref="InvalidDataException">A file or the template is wrong.</exception>
    public static ChatTemplate? Find(string folder, TextTokenizer? tokenizer = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Dictionary<string, string> tokens = [];
        Template? template = null;
        Template? withTools = null;
        string jinja = Path.Combine(folder, JinjaFile);
        if (File.Exists(jinja))
        {
            template = Template.Read(File.ReadAllText(jinja), jinja);
        }

        foreach (string name in (string[])[ConfigFile, "special_tokens_map.json"])
        {
            string path = Path.Combine(folder, name);
            if (!File.Exists(path))
            {
                continue;
            }

            using JsonDocument document = JsonFile.Open(path);
            JsonFile root = new(path, document.RootElement);
            foreach (string token in s_tokenNames)
            {
                AddMissing(tokens, token, TokenizerConfig.Token(root, token));
            }

            if (template is null && name == ConfigFile && root.Optional("chat_template") is JsonFile field)
            {
                (template, withTools) = Read(field);
            }
        }

        AddMissing(tokens, "bos_token", Written(tokenizer, tokenizer?.BosId));
        AddMissing(tokens, "eos_token", Written(tokenizer, tokenizer?.EosId));
        return template is null ? null : new ChatTemplate(template, withTools, tokens);
    }

    /// <summary>The text of a conversation. Special tokens are in it as they are written, so it is encoded without adding any;
    /// a message that spells one becomes that token too, as with Hugging Face's templates.</summary>
    /// <param name="turns">The messages.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <exception cref="ArgumentException">The template refuses the conversation, or has no place for tools.</exception>
    /// <exception cref="NotSupportedException">It calls something that is not known here; the message names it and its line.</exception>
    /// <exception cref="InvalidDataException">It does something that cannot be; the message names the line.</exception>
    public string Render(IReadOnlyList<ChatTurn> turns, ChatTemplateOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(turns);
        options ??= new ChatTemplateOptions();
        if (options.Tools.Count > 0 && !SupportsTools)
        {
            throw new ArgumentException("The chat template has no place for tools.", nameof(options));
        }

        Dictionary<string, object?> values = new()
        {
            ["messages"] = turns.Select(object? (turn) => turn.ToMap()).ToList(),
            ["tools"] = options.Tools.Count == 0 ? null : options.Tools.Select(JsonValues.Of).ToList(),
            ["documents"] = null,
            ["add_generation_prompt"] = options.AddGenerationPrompt,
        };
        foreach ((string name, string token) in _tokens)
        {
            values[name] = token;
        }

        foreach ((string name, object? value) in options.Variables)
        {
            values[name] = JsonValues.Of(value, name);
        }

        return (options.Tools.Count > 0 ? _withTools ?? _template : _template).Render(values, options.Now ?? DateTimeOffset.Now);
    }

    // One template, or several with names: "default" and "tool_use".
    private static (Template Template, Template? WithTools) Read(JsonFile field)
    {
        if (field.Element.ValueKind == JsonValueKind.String)
        {
            return (Template.Read(field.Text(), field.Where), null);
        }

        Dictionary<string, Template> named = [];
        foreach (JsonFile item in field.Items())
        {
            string name = item.Required("name").Text();
            if (name is "default" or "tool_use")
            {
                JsonFile template = item.Required("template");
                named[name] = Template.Read(template.Text(), template.Where);
            }
        }

        return named.TryGetValue("default", out Template? found)
            ? (found, named.GetValueOrDefault("tool_use"))
            : throw new InvalidDataException($"{field.Where} has no template named \"default\".");
    }

    private static void AddMissing(Dictionary<string, string> tokens, string name, string? token)
    {
        if (token is not null)
        {
            tokens.TryAdd(name, token);
        }
    }

    private static string? Written(TextTokenizer? tokenizer, int? id) =>
        tokenizer is not null && id is int token ? Encoding.UTF8.GetString(tokenizer.TokenBytes(token)) : null;
}
