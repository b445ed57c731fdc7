// SPDX-License-Identifier: MIT
// The chat templates of four families, against renderings written by hand; where templates are found; what they refuse.
using System.Text.Json;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.Unit.Host.Tokenization;

public sealed class ChatTemplateTests
{
    private const string WeatherTool = """{"type": "function", "function": {"name": "weather", "description": "Tells the weather.", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}""";

    private static readonly ChatTurn[] Short = [new("user", " Hi! ")];
    private static readonly ChatTurn[] Long = [new("system", "Be brief."), new("user", "Hi!"), new("assistant", "Hello."), new("user", "Who are you?")];

    private static readonly ChatTurn[] Tools =
    [
        new("user", "Weather in K\u00f6ln?"),
        new("assistant", "") { ToolCalls = [new ChatToolCall("weather", Json("""{"city": "K\u00f6ln"}"""), "abcdef123")] },
        new("tool", "rain") { ToolCallId = "abcdef123" },
    ];

    [Fact]
    public void Llama_2()
    {
        ChatTemplate template = Load("llama-2", "<s>", "</s>");
        Assert.Equal("<s>[INST] Hi! [/INST]", template.Render(Short));
        Assert.Equal("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi! [/INST] Hello. </s><s>[INST] Who are you? [/INST]", template.Render(Long));
        Assert.False(template.SupportsTools);
        Assert.Contains("roles must alternate", Assert.Throws<ArgumentException>(() => template.Render([new("user", "a"), new("user", "b")])).Message);
    }

    [Fact]
    public void Llama_3()
    {
        ChatTemplate template = Load("llama-3", "<|begin_of_text|>", "<|eot_id|>");
        Assert.Equal("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n", template.Render(Short));
        Assert.Equal(
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|>"
            + "<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWho are you?<|eot_id|>",
            template.Render(Long, new ChatTemplateOptions { AddGenerationPrompt = false }));
    }

    [Fact]
    public void Llama_3_1_with_date_and_tools()
    {
        ChatTemplate template = Load("llama-3.1", "<|begin_of_text|>", "<|eot_id|>");
        DateTimeOffset now = new(2026, 11, 6, 0, 0, 0, TimeSpan.Zero);
        Assert.Equal(
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 06 Nov 2026\n\nBe brief.<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nWho are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            template.Render(Long, new ChatTemplateOptions { Now = now }));
        Assert.True(template.SupportsTools);
        Assert.Equal(
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nEnvironment: ipython\nCutting Knowledge Date: December 2023\nToday Date: 1 Jan 2027\n\n<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nGiven the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.\n\n"
            + "Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name and its value}.Do not use variables.\n\n"
            + """
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "Tells the weather.",
                    "parameters": {
                        "type": "object",
                        "properties": {
                            "city": {
                                "type": "string"
                            }
                        }
                    }
                }
            }
            """.ReplaceLineEndings("\n")
            + "\n\nWeather in K\u00f6ln?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{\"name\": \"weather\", \"parameters\": {\"city\": \"K\u00f6ln\"}}<|eot_id|>"
            + "<|start_header_id|>ipython<|end_header_id|>\n\nrain<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            template.Render(Tools, new ChatTemplateOptions { Tools = [Json(WeatherTool)], Variables = new Dictionary<string, object?> { ["date_string"] = "1 Jan 2027" } }));
    }

    [Fact]
    public void Mistral_Instruct()
    {
        ChatTemplate template = Load("mistral-instruct", "<s>", "</s>");
        Assert.Equal("<s>[INST]  Hi!  [/INST]", template.Render(Short));
        Assert.Equal("<s>[INST] Hi! [/INST]Hello.</s>[INST] Who are you? [/INST]", template.Render(Long[1..]));
        Assert.Contains("roles must alternate", Assert.Throws<ArgumentException>(() => template.Render(Long)).Message);
    }

    [Fact]
    public void Mistral_Instruct_with_tools()
    {
        ChatTemplate template = Load("mistral-tools", "<s>", "</s>");
        Assert.Equal("<s>[INST] Hi![/INST] Hello.</s>[INST] Be brief.\n\nWho are you?[/INST]", template.Render(Long));
        Assert.Equal(
            "<s>[AVAILABLE_TOOLS] [{\"type\": \"function\", \"function\": {\"name\": \"weather\", \"description\": \"Tells the weather.\", "
            + "\"parameters\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}}}}][/AVAILABLE_TOOLS][INST] Weather in K\u00f6ln?[/INST]"
            + "[TOOL_CALLS] [{\"name\": \"weather\", \"arguments\": {\"city\": \"K\u00f6ln\"}, \"id\": \"abcdef123\"}]</s>"
            + "[TOOL_RESULTS] {\"content\": rain, \"call_id\": \"abcdef123\"}[/TOOL_RESULTS]",
            template.Render(Tools, new ChatTemplateOptions { Tools = [Json(WeatherTool)] }));
        ChatTurn withoutId = Tools[1] with { ToolCalls = [Tools[1].ToolCalls[0] with { Id = null }] };
        Assert.Contains("length 9", Assert.Throws<ArgumentException>(() => template.Render([Tools[0], withoutId])).Message);
    }

    [Fact]
    public void Qwen_2_5()
    {
        ChatTemplate template = Load("qwen-2.5", null, "<|im_end|>");
        Assert.Equal(
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\n Hi! <|im_end|>\n<|im_start|>assistant\n",
            template.Render(Short));
        Assert.Equal(
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n",
            template.Render(Long));
        Assert.Equal(
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            + "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n" + WeatherTool + "\n</tools>\n\n"
            + "For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n"
            + "<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call><|im_end|>\n"
            + "<|im_start|>user\nWeather in K\u00f6ln?<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"K\u00f6ln\"}}\n</tool_call><|im_end|>\n"
            + "<|im_start|>user\n<tool_response>\nrain\n</tool_response><|im_end|>\n<|im_start|>assistant\n",
            template.Render(Tools, new ChatTemplateOptions { Tools = [Json(WeatherTool)] }));
    }

    [Fact]
    public void Templates_are_found_in_their_files_and_the_own_file_goes_first()
    {
        using TemporaryFolder folder = new();
        Assert.Null(ChatTemplate.Find(folder["."]));
        File.WriteAllText(folder["tokenizer_config.json"], """{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ pad_token }}"}""");
        Assert.Equal("<s>x</s>", ChatTemplate.Find(folder["."])!.Render([new("user", "x")]));
        File.WriteAllText(folder["special_tokens_map.json"], """{"pad_token": "<pad>", "bos_token": "other"}""");
        Assert.Equal("<s>x</s><pad>", ChatTemplate.Find(folder["."])!.Render([new("user", "x")]));
        File.WriteAllText(folder["chat_template.jinja"], "{{ bos_token }}own");
        Assert.Equal("<s>own", ChatTemplate.Find(folder["."])!.Render([]));
    }

    [Fact]
    public void A_model_may_have_another_template_for_tools()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["tokenizer_config.json"], """{"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "{{ tools | length }} tools"}, {"name": "rag", "template": "{% nonsense %}"}]}""");
        ChatTemplate template = ChatTemplate.Find(folder["."])!;
        Assert.True(template.SupportsTools);
        Assert.Equal("plain", template.Render(Short));
        Assert.Equal("1 tools", template.Render(Short, new ChatTemplateOptions { Tools = [Json(WeatherTool)] }));
    }

    [Fact]
    public void Templates_that_cannot_be_used_are_refused_with_their_file()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["tokenizer_config.json"], """{"chat_template": "{% include 'x' %}"}""");
        NotSupportedException error = Assert.Throws<NotSupportedException>(() => ChatTemplate.Find(folder["."]));
        Assert.Contains("tokenizer_config.json", error.Message);
        Assert.Contains("'include'", error.Message);
        File.WriteAllText(folder["tokenizer_config.json"], """{"chat_template": 3}""");
        Assert.Contains("chat_template", Assert.Throws<InvalidDataException>(() => ChatTemplate.Find(folder["."])).Message);
        Assert.Throws<ArgumentException>(() => ChatTemplate.Parse("x").Render(Short, new ChatTemplateOptions { Tools = [Json("{}")] }));
        Assert.Throws<ArgumentException>(() => ChatTemplate.Parse("x").Render(Short, new ChatTemplateOptions { Variables = new Dictionary<string, object?> { ["v"] = new Uri("http://x") } }));
    }

    private static ChatTemplate Load(string name, string? bos, string? eos) =>
        ChatTemplate.Parse(File.ReadAllText(SharedFiles.Find("chat-templates", name + ".jinja")!), bos, eos);

    private static JsonElement Json(string text)
    {
        using JsonDocument document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }
}
