// SPDX-License-Identifier: MIT
// One message of a conversation, in the words of Hugging Face's chat templates.
using System.Text.Json;
using CatsOnnx.Jinja;

namespace CatsOnnx.Tokenization;

/// <summary>A call of a tool that the assistant asked for.</summary>
/// <param name="Name">The tool.</param>
/// <param name="Arguments">A JSON object.</param>
/// <param name="Id">What its result refers to, where the model has ids.</param>
public sealed record ChatToolCall(string Name, JsonElement Arguments, string? Id = null);

/// <summary>A message of a conversation.</summary>
/// <param name="Role">"system", "user", "assistant" or "tool"; templates may know others.</param>
/// <param name="Content">Its text.</param>
public sealed record ChatTurn(string Role, string Content)
{
    /// <summary>The calls that an assistant's message asks for.</summary>
    public IReadOnlyList<ChatToolCall> ToolCalls { get; init; } = [];

    /// <summary>The call that a tool's message answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>Who speaks, where a conversation has names; in a tool's message the tool.</summary>
    public string? Name { get; init; }

    internal Map ToMap()
    {
        Map map = new() { ["role"] = Role, ["content"] = Content };
        if (Name is not null)
        {
            map["name"] = Name;
        }

        if (ToolCallId is not null)
        {
            map["tool_call_id"] = ToolCallId;
        }

        if (ToolCalls.Count > 0)
        {
            map["tool_calls"] = ToolCalls.Select(object? (call) =>
            {
                Map made = new() { ["type"] = "function", ["function"] = new Map { ["name"] = call.Name, ["arguments"] = JsonValues.Of(call.Arguments) } };
                if (call.Id is not null)
                {
                    made["id"] = call.Id;
                }

                return made;
            }).ToList();
        }

        return map;
    }
}
