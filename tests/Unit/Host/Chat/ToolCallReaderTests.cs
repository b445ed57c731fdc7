// SPDX-License-Identifier: MIT
// Calls of tools as Qwen, Mistral and Llama write them, in one piece and letter by letter; text that only looks like one.
using System.Text;
using System.Text.Json;
using CatsOnnx.Chat;
using Microsoft.Extensions.AI;

namespace CatsOnnx.Tests.Unit.Host.Chat;

public sealed class ToolCallReaderTests
{
    [Theory]
    [InlineData("<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": [2]}}\n</tool_call>", "", "add{\"a\":1,\"b\":[2]}")]
    [InlineData("Sure. <tool_call>{\"name\": \"add\", \"arguments\": {}}</tool_call>\n<tool_call>\n{\"name\": \"sub\", \"arguments\": {\"x\": \"y\"}}\n</tool_call>", "Sure. ", "add{} sub{\"x\":\"y\"}")]
    [InlineData("<tool_call>{\"name\": \"unknown\", \"arguments\": {}}</tool_call>", "", "unknown{}")]
    [InlineData("[TOOL_CALLS] [{\"name\": \"add\", \"arguments\": {\"a\": 1}, \"id\": \"abcdefghi\"}, {\"name\": \"sub\"}]", "", "add{\"a\":1} sub{}")]
    [InlineData(" [{\"name\": \"add\", \"arguments\": {\"a\": null}}]", "", "add{\"a\":null}")]
    [InlineData("{\"name\": \"add\", \"parameters\": {\"a\": \"1\"}}", "", "add{\"a\":\"1\"}")]
    [InlineData("<|python_tag|>{\"name\": \"add\", \"parameters\": {}}; {\"name\": \"sub\", \"parameters\": {}}", "", "add{} sub{}")]
    [InlineData("{\"name\": \"other\", \"parameters\": {}}", "{\"name\": \"other\", \"parameters\": {}}", "")]
    [InlineData("{\"name\": \"add\", \"parameters\": 3}", "{\"name\": \"add\", \"parameters\": 3}", "")]
    [InlineData("{\"name\": \"add\"", "{\"name\": \"add\"", "")]
    [InlineData("[1, 2, 3]", "[1, 2, 3]", "")]
    [InlineData("<tool_call> is a mark", "<tool_call> is a mark", "")]
    [InlineData("a < b <tool_cat> [TOOL", "a < b <tool_cat> [TOOL", "")]
    [InlineData("plain {\"name\": \"add\", \"arguments\": {}}", "plain {\"name\": \"add\", \"arguments\": {}}", "")]
    [InlineData("", "", "")]
    public void Answers_are_parted_into_text_and_calls_however_they_come(string answer, string text, string calls)
    {
        foreach (int size in (int[])[1, 3, 7, 1000])
        {
            ToolCallReader reader = new(new HashSet<string> { "add", "sub" });
            StringBuilder given = new();
            for (int at = 0; at < answer.Length; at += size)
            {
                given.Append(reader.Append(answer.Substring(at, Math.Min(size, answer.Length - at))));
            }

            (string rest, List<FunctionCallContent> found) = reader.Finish();
            Assert.Equal(text, given + rest);
            Assert.Equal(calls, string.Join(' ', found.Select(call => call.Name + JsonSerializer.Serialize(call.Arguments))));
            Assert.Equal(found.Count, found.Select(call => call.CallId).Distinct().Count());
        }
    }

    [Fact]
    public void Text_goes_through_at_once_where_no_call_can_begin()
    {
        ToolCallReader reader = new(new HashSet<string>());
        Assert.Equal("Hello", reader.Append("Hello"));
        Assert.Equal(" wor", reader.Append(" wor<too"));
        Assert.Equal("<tooth", reader.Append("th"));
        Assert.Equal(("", 0), (reader.Finish().Text, reader.Finish().Calls.Count));
    }

    [Fact]
    public void Ids_are_the_models_own_or_nine_letters_and_digits()
    {
        ToolCallReader reader = new(new HashSet<string> { "add" });
        reader.Append("[{\"name\": \"add\", \"id\": \"own\"}, {\"name\": \"add\"}]");
        List<FunctionCallContent> calls = reader.Finish().Calls;
        Assert.Equal("own", calls[0].CallId);
        Assert.Matches("^[0-9a-f]{9}$", calls[1].CallId);
    }
}
