// SPDX-License-Identifier: MIT
// Finds the calls of tools in a model's answer: <tool_call>{...}</tool_call> (Qwen, Hermes), [TOOL_CALLS] [{...}] (Mistral),
// a JSON object with name and parameters (Llama 3). Text that cannot be part of a call goes through at once.
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace CatsOnnx.Chat;

/// <summary>Parts a streamed answer into text and calls.</summary>
/// <param name="tools">The names of the tools that may be called.</param>
internal sealed class ToolCallReader(IReadOnlySet<string> tools)
{
    private static readonly string[] s_marks = ["<tool_call>", "[TOOL_CALLS]", "<|python_tag|>"];

    private readonly StringBuilder _whole = new();
    private int _given; // characters of the whole that went through

    /// <summary>Takes the next piece and gives the text that is certainly no part of a call.</summary>
    public string Append(string piece)
    {
        _whole.Append(piece);
        string text = _whole.ToString(_given, _whole.Length - _given);

        // An answer that begins as JSON does may be a call without a mark; tokenizers leave marks that are special tokens out.
        string start = _given == 0 ? text.TrimStart() : "x";
        if (start.Length == 0 || start[0] is '{' or '[')
        {
            return "";
        }

        int certain = text.Length;
        foreach (string mark in s_marks)
        {
            int at = text.IndexOf(mark, StringComparison.Ordinal);
            for (int length = Math.Min(mark.Length - 1, text.Length); at < 0 && length > 0; length--)
            {
                at = text.EndsWith(mark[..length], StringComparison.Ordinal) ? text.Length - length : -1;
            }

            certain = at >= 0 ? Math.Min(certain, at) : certain;
        }

        _given += certain;
        return text[..certain];
    }

    /// <summary>What is left at the end: calls, or else text.</summary>
    public (string Text, List<FunctionCallContent> Calls) Finish()
    {
        string rest = _whole.ToString(_given, _whole.Length - _given);
        string body = rest;
        foreach (string mark in (string[])[.. s_marks, "</tool_call>"])
        {
            body = body.Replace(mark, " ", StringComparison.Ordinal);
        }

        List<FunctionCallContent> calls = [];
        bool marked = body.Length != rest.Length;
        bool understood = ReadValues(Encoding.UTF8.GetBytes(body), value => AddCalls(value, calls, anyName: marked));
        return understood && calls.Count > 0 ? ("", calls) : (rest, []);
    }

    // Several values may follow each other, with white space, commas or semicolons between them.
    private static bool ReadValues(ReadOnlySpan<byte> json, Func<JsonElement, bool> take)
    {
        while (!(json = json.TrimStart(" \t\r\n,;"u8)).IsEmpty)
        {
            try
            {
                Utf8JsonReader reader = new(json, new JsonReaderOptions { AllowMultipleValues = true });
                using JsonDocument document = JsonDocument.ParseValue(ref reader);
                if (!take(document.RootElement.Clone()))
                {
                    return false;
                }

                json = json[(int)reader.BytesConsumed..];
            }
            catch (JsonException)
            {
                return false;
            }
        }

        return true;
    }

    private bool AddCalls(JsonElement value, List<FunctionCallContent> calls, bool anyName)
    {
        if (value.ValueKind == JsonValueKind.Array)
        {
            return value.EnumerateArray().All(item => AddCalls(item, calls, anyName));
        }

        if (value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("name", out JsonElement name) || name.ValueKind != JsonValueKind.String
            || !(anyName || tools.Contains(name.GetString()!)))
        {
            return false;
        }

        Dictionary<string, object?> arguments = [];
        if (value.TryGetProperty("arguments", out JsonElement given) || value.TryGetProperty("parameters", out given))
        {
            if (given.ValueKind != JsonValueKind.Object)
            {
                return false;
            }

            foreach (JsonProperty property in given.EnumerateObject())
            {
                arguments[property.Name] = property.Value;
            }
        }

        // Nine letters and digits: what Mistral's templates demand of an id.
        string id = value.TryGetProperty("id", out JsonElement own) && own.ValueKind == JsonValueKind.String ? own.GetString()! : Guid.NewGuid().ToString("N")[..9];
        calls.Add(new FunctionCallContent(id, name.GetString()!, arguments));
        return true;
    }
}
