// SPDX-License-Identifier: MIT
// Which graph, configuration and tokenizer a folder stands for, and what is said when one is missing.
using CatsOnnx.Session;

namespace CatsOnnx.Tests.Unit.Host.Session;

public sealed class ModelFolderTests : IDisposable
{
    private const string Config = """{"model_type": "llama", "hidden_size": 192, "num_attention_heads": 6, "num_hidden_layers": 2, "vocab_size": 4096, "max_position_embeddings": 2048, "bos_token_id": 1, "eos_token_id": [2, 7]}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("cats-folder-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void An_optimum_folder_gives_sizes_and_several_eos_ids()
    {
        Write("config.json", Config);
        Write("model.onnx");
        Write("tokenizer.model");
        ModelFolder folder = ModelFolder.Open(_folder);
        Assert.Equal(ModelLayout.Optimum, folder.Layout);
        Assert.Equal(Path.Combine(_folder, "model.onnx"), folder.ModelPath);
        Assert.Equal(Path.Combine(_folder, "tokenizer.model"), folder.TokenizerPath);
        Assert.Equal((192, 6, 6, 32, 4096, 2048, 1), (folder.Config.HiddenSize, folder.Config.NumAttentionHeads, folder.Config.NumKeyValueHeads,
            folder.Config.HeadDim, folder.Config.VocabSize, folder.Config.ContextLength, folder.Config.BosTokenId));
        Assert.Equal([2, 7], folder.Config.EosTokenIds);
    }

    [Fact]
    public void Generation_config_wins_over_config()
    {
        Write("config.json", Config);
        Write("generation_config.json", """{"eos_token_id": 9}""");
        Write("model.onnx");
        Assert.Equal([9], ModelFolder.Open(_folder).Config.EosTokenIds);
        Assert.Equal(1, ModelFolder.Open(_folder).Config.BosTokenId);
    }

    [Fact]
    public void A_genai_folder_names_its_graph()
    {
        Write("genai_config.json", """
            {"model": {"type": "llama", "context_length": 64, "vocab_size": 320, "eos_token_id": [3], "bos_token_id": 1, "decoder": {"filename": "decoder.onnx",
             "head_size": 16, "hidden_size": 48, "num_attention_heads": 3, "num_hidden_layers": 2, "num_key_value_heads": 1}}, "search": {"past_present_share_buffer": true}}
            """);
        Assert.Contains("decoder.onnx", Assert.Throws<FileNotFoundException>(() => ModelFolder.Open(_folder)).Message);
        Write("decoder.onnx");
        ModelFolder folder = ModelFolder.Open(_folder);
        Assert.Equal((ModelLayout.GenAI, true, 16, 64), (folder.Layout, folder.Config.PastPresentShareBuffer, folder.Config.HeadDim, folder.Config.ContextLength));
    }

    [Fact]
    public void An_onnx_community_folder_chooses_by_variant()
    {
        Write("config.json", Config);
        Write("onnx/model.onnx");
        Write("onnx/model_fp16.onnx");
        Assert.Equal((ModelLayout.OnnxCommunity, "model.onnx"), Shape(ModelFolder.Open(_folder)));
        Assert.Equal((ModelLayout.OnnxCommunity, "model_fp16.onnx"), Shape(ModelFolder.Open(_folder, "fp16")));
        Assert.Equal((ModelLayout.OnnxCommunity, "model_fp16.onnx"), Shape(ModelFolder.Open(_folder, "model_fp16.onnx")));
        Assert.Equal((ModelLayout.OnnxCommunity, "model_fp16.onnx"), Shape(ModelFolder.Open(Path.Combine(_folder, "onnx", "model_fp16.onnx"))));
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => ModelFolder.Open(_folder, "q4"));
        Assert.Contains("model_q4.onnx", error.Message);
        Assert.Contains("model_fp16.onnx", error.Message);
    }

    [Fact]
    public void A_bare_file_is_a_model_without_configuration()
    {
        string file = Write("net.onnx");
        Assert.Equal((ModelLayout.Bare, "net.onnx"), Shape(ModelFolder.Open(file)));
        Assert.Equal((ModelLayout.Bare, "net.onnx"), Shape(ModelFolder.Open(_folder)));
        Write("net2.onnx");
        Assert.Contains("net2.onnx", Assert.Throws<InvalidDataException>(() => ModelFolder.Open(_folder)).Message);
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        Assert.Contains("nowhere", Assert.Throws<FileNotFoundException>(() => ModelFolder.Open(Path.Combine(_folder, "nowhere"))).Message);
        FileNotFoundException empty = Assert.Throws<FileNotFoundException>(() => ModelFolder.Open(_folder));
        Assert.Contains("model.onnx", empty.Message);
        Assert.Contains("genai_config.json", empty.Message);
        Write("model.onnx");
        FileNotFoundException tokenizer = Assert.Throws<FileNotFoundException>(() => ModelFolder.Open(_folder).LoadTokenizer());
        Assert.Contains("tokenizer.json", tokenizer.Message);
        Assert.Contains("tokenizer.model", tokenizer.Message);
        Assert.Contains("not an .onnx file", Assert.Throws<InvalidDataException>(() => ModelFolder.Open(Write("notes.txt"))).Message);
    }

    [Theory]
    [InlineData("""{"vocab_size": "many"}""", "vocab_size must be a whole number")]
    [InlineData("""{"vocab_size": -4}""", "-4")]
    [InlineData("""{"eos_token_id": [2, "x"]}""", "eos_token_id[1]")]
    [InlineData("[]", "must hold a JSON object")]
    [InlineData("{", "not valid JSON")]
    public void A_wrong_field_is_named(string json, string part)
    {
        Write("config.json", json);
        Write("model.onnx");
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => ModelFolder.Open(_folder));
        Assert.Contains("config.json", error.Message);
        Assert.Contains(part, error.Message);
    }

    [Fact]
    public void A_graph_that_cannot_be_loaded_is_named()
    {
        string file = Write("model.onnx", "this is no model");
        Assert.Contains(file, Assert.Throws<InvalidDataException>(() => ModelSession.Open(ModelFolder.Open(_folder))).Message);
    }

    [Theory]
    [InlineData("cpu", "cpu", 0)]
    [InlineData("cuda", "cuda", 0)]
    [InlineData("cuda:3", "cuda", 3)]
    public void Devices_are_read_from_text(string text, string kind, int index)
    {
        Assert.Equal(new Device(kind, index), Device.Parse(text));
        Assert.Equal(Device.Parse(text), Device.Parse(Device.Parse(text).ToString()));
    }

    [Theory]
    [InlineData("gpu")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:")]
    public void Other_devices_are_refused(string text) => Assert.Contains(text, Assert.Throws<FormatException>(() => Device.Parse(text)).Message);

    private static (ModelLayout Layout, string File) Shape(ModelFolder folder) => (folder.Layout, Path.GetFileName(folder.ModelPath));

    private string Write(string name, string text = "x")
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }
}
