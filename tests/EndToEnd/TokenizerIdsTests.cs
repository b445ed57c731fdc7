// SPDX-License-Identifier: MIT
// The ids of whole texts and of awkward strings, against those of SentencePiece and Hugging Face tokenizers.
using System.Buffers.Binary;
using System.Text.Json;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class TokenizerIdsTests
{
    public static TheoryData<string, string, string> Texts => new()
    {
        { "tokenizer-4k/tokenizer.model", "eval.txt", "eval.4k.u16" },
        { "tokenizer-4k/tokenizer.json", "eval.txt", "eval.4k.u16" },
        { "tokenizer-4k/tokenizer.model", "eval_fiction.txt", "eval_fiction.4k.u16" },
        { "tokenizer-4k/tokenizer.json", "eval_fiction.txt", "eval_fiction.4k.u16" },
        { "tokenizer-4k/tokenizer.model", "calibrate_fiction.txt", "calibrate_fiction.4k.u16" },
        { "tokenizer-4k/tokenizer.json", "calibrate_fiction.txt", "calibrate_fiction.4k.u16" },
        { "tokenizer-8k/tokenizer.model", "eval.txt", "eval.8k.u16" },
        { "tokenizer-8k/tokenizer.json", "eval.txt", "eval.8k.u16" },
        { "tokenizer-8k/tokenizer.model", "calibrate.txt", "calibrate.8k.u16" },
        { "tokenizer-8k/tokenizer.json", "calibrate.txt", "calibrate.8k.u16" },
        { "tokenizer-bytelevel/tokenizer.json", "eval.txt", "eval.bytelevel.u16" },
    };

    public static TheoryData<string, string> Tokenizers => new()
    {
        { "tokenizer-4k", "tokenizer.model" },
        { "tokenizer-4k", "tokenizer.json" },
        { "tokenizer-8k", "tokenizer.model" },
        { "tokenizer-8k", "tokenizer.json" },
        { "tokenizer-bytelevel", "tokenizer.json" },
    };

    [Theory]
    [MemberData(nameof(Texts))]
    public void Ids_of_a_whole_text_equal_the_reference(string tokenizerFile, string textFile, string idsFile)
    {
        TextTokenizer tokenizer = TokenizerLoader.Load(Shared("models/" + tokenizerFile));
        byte[] bytes = File.ReadAllBytes(Shared("models/ids/" + idsFile));
        int[] expected = new int[bytes.Length / 2];
        for (int i = 0; i < expected.Length; i++)
        {
            expected[i] = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(2 * i));
        }

        bool bare = idsFile.Contains("bytelevel", StringComparison.Ordinal);
        List<int> ids = [];
        foreach (string document in File.ReadAllText(Shared("models/text/" + textFile)).Split("\n<|endoftext|>\n"))
        {
            if (document.Length > 0)
            {
                int[] own = tokenizer.Encode(document);
                Assert.Equal(document, tokenizer.Decode(own));
                ids.AddRange(bare ? own : [tokenizer.BosId!.Value, .. own, tokenizer.EosId!.Value]);
            }
        }

        int difference = ids.Zip(expected).TakeWhile(pair => pair.First == pair.Second).Count();
        Assert.True(difference == expected.Length && ids.Count == expected.Length,
            $"{ids.Count} ids, {expected.Length} expected; the first difference is at {difference}.");
    }

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void Ids_of_awkward_strings_equal_the_reference(string folder, string file)
    {
        TextTokenizer tokenizer = TokenizerLoader.Load(Shared($"models/{folder}/{file}"));
        string section = folder == "tokenizer-bytelevel" ? "byte_level" : folder;
        using JsonDocument cases = JsonDocument.Parse(File.ReadAllText(Shared("models/reference/tokens_hard.json")));
        int count = 0;
        foreach (JsonElement item in cases.RootElement.GetProperty(section).EnumerateArray())
        {
            string text = item.GetProperty("text").GetString()!;
            int[] expected = [.. item.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            int[] ids = tokenizer.Encode(text);
            Assert.True(ids.SequenceEqual(expected), $"{JsonSerializer.Serialize(text)}: [{string.Join(' ', ids)}], expected [{string.Join(' ', expected)}].");
            Assert.Equal(text, tokenizer.Decode(ids, skipSpecialTokens: false));
            count++;
        }

        Assert.True(count >= 10, $"{count} cases");
    }

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void A_megabyte_of_one_character_is_encoded_within_seconds(string folder, string file)
    {
        TextTokenizer tokenizer = TokenizerLoader.Load(Shared($"models/{folder}/{file}"));
        foreach (char character in "a \n=\u00e9")
        {
            string text = new(character, 1 << 20);
            long start = Environment.TickCount64;
            int[] ids = tokenizer.Encode(text);
            long milliseconds = Environment.TickCount64 - start;
            Assert.Equal(text, tokenizer.Decode(ids));
            Assert.True(milliseconds < 20_000, $"{milliseconds} ms for a megabyte of U+{(int)character:X4}");
        }
    }

    [Fact]
    public void A_model_file_and_a_tokenizer_json_agree_on_special_tokens()
    {
        foreach (string folder in (string[])["tokenizer-4k", "tokenizer-8k"])
        {
            TextTokenizer model = TokenizerLoader.Load(Shared($"models/{folder}/tokenizer.model"));
            TextTokenizer json = TokenizerLoader.Load(Shared($"models/{folder}"));
            Assert.Equal((1, 2), (model.BosId, model.EosId));
            Assert.Equal((1, 2), (json.BosId, json.EosId));
            Assert.Equal(model.VocabularySize, json.VocabularySize);
            Assert.Equal(model.Encode("Once", addSpecialTokens: true), json.Encode("Once", addSpecialTokens: true));
            Assert.Equal(1, json.Encode("Once", addSpecialTokens: true)[0]);
            for (int id = 0; id < model.VocabularySize; id++)
            {
                Assert.True(model.TokenBytes(id).SequenceEqual(json.TokenBytes(id)), $"token {id}");
                Assert.Equal(model.IsSpecial(id), json.IsSpecial(id));
            }
        }
    }

    private static string Shared(string path)
    {
        string? found = SharedFiles.Find(path.Split('/'));
        Assert.SkipWhen(found is null, $"{path} is in neither ../shared nor tests/assets.");
        return found!;
    }
}
