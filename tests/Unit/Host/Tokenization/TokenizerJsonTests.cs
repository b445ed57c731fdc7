// SPDX-License-Identifier: MIT
// tokenizer.json: what its fields mean, and errors that name them.
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.Unit.Host.Tokenization;

public sealed class TokenizerJsonTests : IDisposable
{
    private const string Small = """
        {"added_tokens": [{"id": 9, "content": "<end>", "special": true, "normalized": false}],
         "normalizer": null, "pre_tokenizer": null, "post_processor": null,
         "model": {"type": "BPE", "unk_token": "?", "vocab": {"?": 0, "a": 1, "b": 2, "c": 3, "ab": 4, "abc": 5, "bc": 6, " ": 7, "<0x64>": 8},
                   "merges": ["b c", ["a", "b"], ["ab", "c"]]}}
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("cats-tokenizer-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Merges_of_lower_rank_come_first_whether_written_as_text_or_as_pairs()
    {
        TextTokenizer tokenizer = Read(Small);
        Assert.Equal([1, 6], tokenizer.Encode("abc")); // b c has rank 0, then a bc is no merge
        Assert.Equal([4, 4], tokenizer.Encode("abab"));
        Assert.Equal([], tokenizer.Encode(""));
        Assert.Equal(10, tokenizer.VocabularySize);
        Assert.Equal(9, tokenizer.FindToken("<end>"));
    }

    [Fact]
    public void Characters_outside_the_vocabulary_become_unknown_bytes_or_nothing()
    {
        Assert.Equal([0, 0], Read(Small).Encode("dd"));
        Assert.Equal([0], Read(Small.Replace("\"unk_token\"", "\"fuse_unk\": true, \"unk_token\"")).Encode("dd"));
        Assert.Equal([8, 8], Read(Small.Replace("\"unk_token\"", "\"byte_fallback\": true, \"unk_token\"")).Encode("dd"));
        Assert.Equal([1], Read(Small.Replace("\"unk_token\": \"?\",", "")).Encode("dad"));
    }

    [Fact]
    public void Added_tokens_are_found_in_text_and_left_out_when_decoding()
    {
        TextTokenizer tokenizer = Read(Small);
        Assert.Equal([4, 9, 3], tokenizer.Encode("ab<end>c"));
        Assert.Equal("abc", tokenizer.Decode([4, 9, 3]));
        Assert.Equal("ab<end>c", tokenizer.Decode([4, 9, 3], skipSpecialTokens: false));
        Assert.True(tokenizer.IsSpecial(9));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([10]));
    }

    [Fact]
    public void Added_tokens_may_take_the_spaces_beside_them_or_want_whole_words()
    {
        Assert.Equal([1, 9, 2], Read(Small.Replace("\"special\"", "\"lstrip\": true, \"rstrip\": true, \"special\"")).Encode("a  <end> b"));
        TextTokenizer whole = Read(Small.Replace("<end>", "abc").Replace("\"special\"", "\"single_word\": true, \"special\""));
        Assert.Equal([9, 7, 1, 6, 1], whole.Encode("abc abca"));
    }

    [Fact]
    public void Templates_put_ids_around_a_text()
    {
        string template = """
            {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<end>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "?", "type_id": 0}}],
             "special_tokens": {"<end>": {"id": "<end>", "ids": [9], "tokens": ["<end>"]}, "?": {"id": "?", "ids": [0], "tokens": ["?"]}}}
            """;
        TextTokenizer tokenizer = Read(Small.Replace("\"post_processor\": null", "\"post_processor\": " + template));
        Assert.Equal([9, 4, 0], tokenizer.Encode("ab", addSpecialTokens: true));
        Assert.Equal([4], tokenizer.Encode("ab"));
        Assert.Equal((9, 0), (tokenizer.BosId, tokenizer.EosId));
    }

    [Fact]
    public void Metaspace_marks_the_start_of_the_text()
    {
        string json = Small.Replace("\" \": 7", "\"\u2581\": 7");
        foreach ((string scheme, int[] ids) in ((string, int[])[])[("always", [7, 1, 9, 7, 2]), ("first", [7, 1, 9, 2]), ("never", [1, 9, 2])])
        {
            TextTokenizer tokenizer = Read(json.Replace("\"pre_tokenizer\": null",
                $$"""
                "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "{{scheme}}", "split": true}
                """));
            Assert.Equal(ids, tokenizer.Encode("a<end>b"));
            Assert.Equal("a b", tokenizer.Decode(tokenizer.Encode("a b")));
        }
    }

    [Theory]
    [InlineData("Isolated", false, new[] { 1, 7, 2, 3 })]
    [InlineData("Removed", false, new[] { 1, 2, 3 })]
    [InlineData("MergedWithPrevious", false, new[] { 1, 7, 2, 3 })]
    [InlineData("MergedWithNext", false, new[] { 1, 7, 2, 3 })]
    [InlineData("Removed", true, new[] { 7 })]
    public void Text_is_split_before_merging(string behavior, bool invert, int[] ids)
    {
        string split = $$"""
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": " |(?<=b)(?=c)"}, "behavior": "{{behavior}}", "invert": {{(invert ? "true" : "false")}}},
             {"type": "Split", "pattern": {"String": "b"}, "behavior": "Isolated", "invert": false}]}
            """;
        Assert.Equal(ids, Read(Small.Replace("\"pre_tokenizer\": null", split)).Encode("a bc"));
    }

    [Fact]
    public void Patterns_see_code_points_above_the_basic_plane_as_what_they_are()
    {
        TextPattern letters = TextPattern.Of(@"\p{L}+|\p{N}|[^\p{L}\p{N}]");
        Assert.Equal([(0, 5), (5, 2), (7, 2), (9, 1)], letters.Matches("\U0001D54Fa\U0001D518\U0001D7D8\U0001F469!"));
    }

    [Fact]
    public void Composition_without_tables_passes_composed_text_and_refuses_the_rest()
    {
        TextTokenizer tokenizer = Read(Small.Replace("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}").Replace("\"a\": 1", "\"\u00e9\": 1, \"a\": 10"));
        Assert.Equal([1], tokenizer.Encode("\u00e9"));
        Assert.Equal([0, 0, 0], tokenizer.Encode("\u65e5\uac00\U0001F469"));
        if ("e\u0301".Normalize().Length == 1)
        {
            Assert.Equal([1], tokenizer.Encode("e\u0301"));
        }
        else
        {
            Assert.Contains("U+0301", Assert.Throws<NotSupportedException>(() => tokenizer.Encode("e\u0301")).Message);
        }
    }

    [Theory]
    [InlineData("\"type\": \"BPE\"", "\"type\": \"Unigram\"", "model.type must be BPE")]
    [InlineData("\"a\": 1", "\"a\": \"x\"", "model.vocab[\"a\"]")]
    [InlineData("\"a\": 1", "\"a\": 2000000000", "2000000000")]
    [InlineData("\"a\": 1", "\"a\": -1", "-1")]
    [InlineData("\"a\": 1", "\"a\": 1, \"a\": 2", "twice")]
    [InlineData("\"b c\"", "\"b  c\"", "model.merges[0]")]
    [InlineData("\"b c\"", "\"b z\"", "\"z\"")]
    [InlineData("\"b c\"", "7", "model.merges[0] must be two tokens")]
    [InlineData("\"unk_token\": \"?\"", "\"unk_token\": \"none\"", "model.unk_token")]
    [InlineData("\"unk_token\"", "\"dropout\": 0.1, \"unk_token\"", "model.dropout")]
    [InlineData("\"unk_token\"", "\"end_of_word_suffix\": \"</w>\", \"unk_token\"", "end_of_word_suffix")]
    [InlineData("\"normalizer\": null", "\"normalizer\": {\"type\": \"Precompiled\"}", "normalizer.type")]
    [InlineData("\"pre_tokenizer\": null", "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}", "pre_tokenizer.type")]
    [InlineData("\"pre_tokenizer\": null", "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}, \"behavior\": \"Isolated\"}", "pre_tokenizer.pattern.Regex")]
    [InlineData("\"post_processor\": null", "\"post_processor\": {\"type\": \"BertProcessing\"}", "post_processor.type")]
    [InlineData("\"id\": 9, ", "", "added_tokens[0].id is missing")]
    [InlineData("\"special\": true", "\"special\": 1", "added_tokens[0].special")]
    [InlineData("\"model\"", "\"other\"", "model is missing")]
    public void Errors_name_the_field(string from, string to, string part)
    {
        Assert.Contains(from, Small);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Read(Small.Replace(from, to)));
        Assert.Contains(part, error.Message);
        Assert.Contains("tokenizer.json", error.Message);
    }

    [Fact]
    public void Text_that_is_no_tokenizer_is_refused()
    {
        foreach (string text in (string[])["", "[]", "{", "null", "\u0000", "{\"model\": 3}"])
        {
            Assert.Throws<InvalidDataException>(() => Read(text));
        }

        string model = Path.Combine(_folder, "tokenizer.model");
        File.WriteAllText(model, "this is no protobuf");
        Assert.Contains(model, Assert.Throws<InvalidDataException>(() => TokenizerLoader.Load(model)).Message);
        File.WriteAllBytes(model, []);
        Assert.Contains("no pieces", Assert.Throws<InvalidDataException>(() => TokenizerLoader.Load(model)).Message);
        Assert.Throws<FileNotFoundException>(() => TokenizerLoader.Load(Path.Combine(_folder, "none")));
    }

    private TextTokenizer Read(string json)
    {
        string path = Path.Combine(_folder, "tokenizer.json");
        File.WriteAllText(path, json);
        return TokenizerLoader.Load(path);
    }
}
