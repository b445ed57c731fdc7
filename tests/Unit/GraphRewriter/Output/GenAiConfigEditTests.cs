// SPDX-License-Identifier: MIT
// Naming the native library in genai_config.json changes nothing else, and taking it out gives the file back.
using System.Text;
using System.Text.Json;
using CatsOnnx.GraphRewriter.Output;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Output;

public sealed class GenAiConfigEditTests
{
    [Theory]
    [InlineData("""{"model": {"decoder": {"session_options": {"log_id": "x"}, "filename": "m"}}, "n": 1.50e-05}""")]
    [InlineData("""{"model":{"bos":[1,{"decoder":{"session_options":{}}}],"decoder":{"session_options":{}}}}""")]
    [InlineData("{\n  \"model\" : {\n\t\"decoder\": {\r\n \"session_options\": {\r\n   \"a\": {\"custom_ops_library\": 1},\r\n \"b\": 2 } } } }\n")]
    public void Names_the_library_and_takes_it_out_again(string json)
    {
        byte[] source = Encoding.UTF8.GetBytes(json);

        byte[] named = GenAiConfigEdit.SetLibrary(source, "libcats_onnx.so");

        using JsonDocument document = JsonDocument.Parse(named);
        Assert.Equal("libcats_onnx.so", document.RootElement.GetProperty("model").GetProperty("decoder").GetProperty("session_options").GetProperty("custom_ops_library").GetString());
        Assert.Equal("libcats_onnx.so", GenAiConfigEdit.GetLibrary(named));
        Assert.Equal(json, Encoding.UTF8.GetString(GenAiConfigEdit.SetLibrary(named, null)));
    }

    [Fact]
    public void Replaces_a_library_that_is_named_already()
    {
        byte[] json = """{"model": {"decoder": {"session_options": {"custom_ops_library" : "old.so" , "b": 1}}}}"""u8.ToArray();

        byte[] edited = GenAiConfigEdit.SetLibrary(json, "new.so");

        Assert.Equal("""{"model": {"decoder": {"session_options": {"custom_ops_library" : "new.so" , "b": 1}}}}""", Encoding.UTF8.GetString(edited));
    }

    [Fact]
    public void Adds_session_options_where_there_are_none()
    {
        byte[] edited = GenAiConfigEdit.SetLibrary("""{"model": {"decoder": {"filename": "model.onnx"}}}"""u8, "l.so");

        Assert.Equal("l.so", GenAiConfigEdit.GetLibrary(edited));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"model": 3}""")]
    [InlineData("""{"model": {""")]
    [InlineData("no json")]
    public void Refuses_what_is_no_configuration(string json) => Assert.ThrowsAny<JsonException>(() => GenAiConfigEdit.SetLibrary(Encoding.UTF8.GetBytes(json), "l.so"));

    [Fact]
    public void The_configuration_of_a_real_export_survives()
    {
        string path = SharedFiles.Find("models", "llama-3m", "genai-fp16-cuda", "genai_config.json") ?? throw new FileNotFoundException("genai_config.json of llama-3m");
        byte[] source = File.ReadAllBytes(path);

        byte[] named = GenAiConfigEdit.SetLibrary(source, "libcats_onnx.so");

        Assert.Contains("\n                \"custom_ops_library\": \"libcats_onnx.so\",\n", Encoding.UTF8.GetString(named), StringComparison.Ordinal);
        Assert.Equal(source, GenAiConfigEdit.SetLibrary(named, null));
    }
}
