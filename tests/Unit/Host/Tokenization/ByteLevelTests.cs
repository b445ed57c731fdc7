// SPDX-License-Identifier: MIT
// Byte-level BPE as Llama 3, Qwen 2.5 and GPT-2 write it in tokenizer.json: where their patterns cut, added tokens, whole
// words before merges, and text that comes byte by byte.
using System.Text;
using System.Text.Json;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.Unit.Host.Tokenization;

public sealed class ByteLevelTests
{
    private const string Awkward = "I'LL say: it's 12345 \u00e9t\u00e9s!!\r\n\r\n  two  spaces\t\tx 'S";
    private const string Gpt2 = """{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}""";

    private static string Split(string digits) => $$"""
        {"type": "Sequence", "pretokenizers": [
          {"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|{{digits}}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false},
          {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}
        """;

    private static readonly string Llama3 = Split(@"\\p{N}{1,3}");
    private static readonly string Qwen = Split(@"\\p{N}");

    [Fact]
    public void Gpt2_cuts_where_its_pattern_says() => Assert.Equal(
        ["I", "'", "LL", " say", ":", " it", "'s", " 12345", " \u00e9t\u00e9s", "!!", "\r\n\r\n ", " two", " ", " spaces", "\t", "\t", "x", " '", "S"],
        Words(Gpt2, Awkward));

    [Fact]
    public void Llama_3_cuts_where_its_pattern_says() => Assert.Equal(
        ["I", "'LL", " say", ":", " it", "'s", " ", "123", "45", " \u00e9t\u00e9s", "!!\r\n\r\n", " ", " two", " ", " spaces", "\t", "\tx", " '", "S"],
        Words(Llama3, Awkward));

    [Fact]
    public void Qwen_cuts_digits_one_by_one() => Assert.Equal(
        ["I", "'LL", " say", ":", " it", "'s", " ", "1", "2", "3", "4", "5", " \u00e9t\u00e9s", "!!\r\n\r\n", " ", " two", " ", " spaces", "\t", "\tx", " '", "S"],
        Words(Qwen, Awkward));

    [Fact]
    public void A_prefix_space_is_put_before_a_text_once()
    {
        string spaced = Gpt2.Replace("\"add_prefix_space\": false", "\"add_prefix_space\": true");
        Assert.Equal([" a", " b"], Words(spaced, "a b"));
        Assert.Equal([" a"], Words(spaced, " a"));
    }

    [Fact]
    public void Qwen_composes_text_and_keeps_its_markers_whole()
    {
        using TemporaryFolder folder = new();
        TextTokenizer tokenizer = Read(folder, Qwen, """{"type": "NFC"}""", "", """
            {"id": 300, "content": "<|im_start|>", "special": true, "normalized": false}, {"id": 301, "content": "<tool_call>", "special": false, "normalized": false}
            """);
        int[] ids = tokenizer.Encode("<|im_start|>user\n<tool_call>\u00e9");
        Assert.Equal(300, ids[0]);
        Assert.Equal(301, ids[6]);
        Assert.Equal("user\n<tool_call>\u00e9", tokenizer.Decode(ids));
        Assert.Equal("<|im_start|>user\n<tool_call>\u00e9", tokenizer.Decode(ids, skipSpecialTokens: false));
    }

    [Fact]
    public void Llama_3_takes_whole_words_before_merges()
    {
        using TemporaryFolder folder = new();
        // "abc" is a token that no merge leads to; " ab" is written with the letter that stands for a space.
        const string Tokens = ", \"ab\": 256, \"abc\": 257, \"\u0120ab\": 258";
        const string Merges = "\"merges\": [\"a b\"]";
        TextTokenizer plain = Read(folder, Llama3, "null", Tokens, "", Merges);
        Assert.Equal([256, Id('c')], plain.Encode("abc"));
        Assert.Equal([Id(' '), 256], plain.Encode(" ab"));
        TextTokenizer whole = Read(folder, Llama3, "null", Tokens, "", "\"ignore_merges\": true, " + Merges);
        Assert.Equal([257], whole.Encode("abc"));
        Assert.Equal([258], whole.Encode(" ab"));
        Assert.Equal([256, Id('b')], whole.Encode("abb"));
    }

    [Fact]
    public void Streamed_pieces_never_break_a_character()
    {
        using TemporaryFolder folder = new();
        TextTokenizer tokenizer = Read(folder, Llama3, "null", "", "");
        const string Text = "\u00e9\u65e5\U0001F469\u200D\U0001F467x\u0301 \uFFFD";
        StreamingDecoder decoder = tokenizer.CreateStreamingDecoder();
        StringBuilder streamed = new();
        foreach (int id in tokenizer.Encode(Text))
        {
            ReadOnlySpan<char> piece = decoder.Next(id);
            Assert.Equal(piece.ToString(), WholeCharacters.Of(piece.ToString()));
            Assert.True(piece.IsEmpty || Text.AsSpan(streamed.Length).StartsWith(piece), piece.ToString());
            streamed.Append(piece);
        }

        Assert.Equal(Text, streamed.Append(decoder.Finish()).ToString());

        // A character that stops half-way becomes one U+FFFD, at the end.
        Assert.Equal("", decoder.Next(ByteId(0xF0)).ToString());
        Assert.Equal("", decoder.Next(ByteId(0x9F)).ToString());
        Assert.Equal("\uFFFD", decoder.Finish().ToString());
    }

    private static IEnumerable<string> Words(string preTokenizer, string text)
    {
        using JsonDocument document = JsonDocument.Parse(preTokenizer);
        return PreTokenizer.Read(new JsonFile("tokenizer.json: pre_tokenizer", document.RootElement)).Apply(new PreTokenizer.Piece(text, true)).Select(piece => piece.Text).ToList();
    }

    private static int Id(char character) => ByteId((byte)character);

    private static int ByteId(byte value) => value;

    /// <summary>A tokenizer whose first 256 tokens are the bytes.</summary>
    private static TextTokenizer Read(TemporaryFolder folder, string preTokenizer, string normalizer, string tokens, string added, string merges = "\"merges\": []")
    {
        string bytes = string.Join(", ", Enumerable.Range(0, 256).Select(value => $"{JsonSerializer.Serialize(ByteTokens.Character((byte)value).ToString())}: {value}"));
        string path = folder["tokenizer.json"];
        File.WriteAllText(path, $$"""
            {"added_tokens": [{{added}}], "normalizer": {{normalizer}}, "pre_tokenizer": {{preTokenizer}},
             "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
             "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
             "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false,
                       "vocab": { {{bytes}}{{tokens}} }, {{merges}} } }
            """);
        return TokenizerLoader.Load(path);
    }
}
