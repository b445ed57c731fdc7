// SPDX-License-Identifier: MIT
// Messages of Microsoft.Extensions.AI as the turns of a chat template.
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CatsOnnx.Tokenization;
using Microsoft.Extensions.AI;

namespace CatsOnnx.Chat;

internal static class Conversation
{
    /// <summary>The turns of a conversation.</summary>
    /// <param name="messages">The messages.</param>
    /// <param name="instructions">A system message before them, or null.</param>
    /// <exception cref="NotSupportedException">A message holds something else than text, tool calls and their results.</exception>
    public static List<ChatTurn> Turns(IEnumerable<ChatMessage> messages, string? instructions)
    {
        List<ChatTurn> turns = [];
        if (!string.IsNullOrEmpty(instructions))
        {
            turns.Add(new ChatTurn("system", instructions));
        }

        foreach (ChatMessage message in messages)
        {
            Add(message, turns);
        }

        // Templates know one system message, the first: instructions and the conversation's own become one.
        if (turns.Count > 1 && turns[0].Role == "system" && turns[1].Role == "system")
        {
            turns[0] = new ChatTurn("system", $"{turns[0].Content}\n{turns[1].Content}");
            turns.RemoveAt(1);
        }

        return turns;
    }

    /// <summary>A tool as chat templates take it.</summary>
    /// <exception cref="NotSupportedException">It is no function.</exception>
    public static JsonElement Tool(AITool tool)
    {
        AIFunctionDeclaration function = tool as AIFunctionDeclaration
            ?? throw new NotSupportedException($"ChatOptions.Tools: '{tool.Name}' is a {tool.GetType().Name}; only functions are supported.");
        using JsonDocument document = JsonDocument.Parse(Written(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("type", "function");
            writer.WriteStartObject("function");
            writer.WriteString("name", function.Name);
            writer.WriteString("description", function.Description);
            writer.WritePropertyName("parameters");
            function.JsonSchema.WriteTo(writer);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }));
        return document.RootElement.Clone();
    }

    private static void Add(ChatMessage message, List<ChatTurn> turns)
    {
        StringBuilder text = new();
        List<ChatToolCall> calls = [];
        List<ChatTurn> results = [];
        foreach (AIContent content in message.Contents)
        {
            switch (content)
            {
                case TextContent part:
                    text.Append(part.Text);
                    break;
                case FunctionCallContent call:
                    calls.Add(new ChatToolCall(call.Name, Json(call.Arguments ?? new Dictionary<string, object?>(), typeof(IDictionary<string, object?>)), call.CallId));
                    break;
                case FunctionResultContent result:
                    results.Add(new ChatTurn("tool", Result(result)) { ToolCallId = result.CallId });
                    break;
                case TextReasoningContent or UsageContent:
                    break; // what a model thought, or counts: no part of what it is shown again
                default:
                    throw new NotSupportedException($"A message of role '{message.Role.Value}' holds {content.GetType().Name}; only text, function calls and their results are supported.");
            }
        }

        if (text.Length > 0 || calls.Count > 0 || results.Count == 0)
        {
            turns.Add(new ChatTurn(message.Role.Value, text.ToString()) { ToolCalls = calls });
        }

        turns.AddRange(results);
    }

    private static string Result(FunctionResultContent result) => result switch
    {
        { Exception: Exception error } => $"Error: {error.Message}",
        { Result: null } => "",
        { Result: string text } => text,
        { Result: JsonElement { ValueKind: JsonValueKind.String } json } => json.GetString()!,
        _ => Written(Json(result.Result, result.Result.GetType()).WriteTo), // without the indents that a serializer may have made
    };

    private static string Written(Action<Utf8JsonWriter> write)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            write(writer);
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static JsonElement Json(object value, Type type) =>
        value is JsonElement element ? element : JsonSerializer.SerializeToElement(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(type));
}
