// SPDX-License-Identifier: MIT
// Reads tokenizer.json (Hugging Face tokenizers) where its model is BPE; every error names the field.
using System.Text.Json;

namespace CatsOnnx.Tokenization;

/// <summary>The fields of a tokenizer.json, checked.</summary>
internal sealed class TokenizerJson
{
    private TokenizerJson(BpeVocabulary vocabulary, List<AddedToken> added, int size)
    {
        Vocabulary = vocabulary;
        Added = added;
        Size = size;
    }

    public BpeVocabulary Vocabulary { get; }

    public List<AddedToken> Added { get; }

    /// <summary>One more than the highest id.</summary>
    public int Size { get; }

    public required Normalizer Normalizer { get; init; }

    public required PreTokenizer PreTokenizer { get; init; }

    public required int? UnknownId { get; init; }

    public required bool FuseUnknown { get; init; }

    public required bool ByteFallback { get; init; }

    public required bool IgnoreMerges { get; init; }

    /// <summary>Reads the file into a tokenizer.</summary>
    /// <exception cref="InvalidDataException">A field is wrong or asks for something that is not understood.</exception>
    public static TextTokenizer Read(string path, TokenizerConfig config)
    {
        using JsonDocument document = JsonFile.Open(path);
        JsonFile root = new(path, document.RootElement);
        TokenizerJson json = Read(root);
        (List<int> prefix, List<int> suffix) = ReadTemplate(root.Optional("post_processor"), json.Size, depth: 0);
        int? bos = Named(config.BosToken) ?? (prefix.Count > 0 ? prefix[0] : null);
        int? eos = Named(config.EosToken) ?? (suffix.Count > 0 ? suffix[^1] : null);
        return new BpeTextTokenizer(json)
        {
            Source = path,
            BosId = bos,
            EosId = eos,
            PrefixIds = prefix,
            SuffixIds = suffix,
            LeadingSpaces = Math.Max(json.Normalizer.LeadingSpaces, json.PreTokenizer.LeadingSpaces),
        };

        int? Named(string? content)
        {
            if (content is null)
            {
                return null;
            }

            foreach (AddedToken token in json.Added)
            {
                if (token.Content == content)
                {
                    return token.Id;
                }
            }

            return json.Vocabulary.Find(content);
        }
    }

    private static TokenizerJson Read(JsonFile root)
    {
        JsonFile model = root.Required("model");
        if (model.Optional("type") is JsonFile type && type.Text() != "BPE")
        {
            throw type.Wrong("BPE (other models are not read)");
        }

        foreach (string name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.Optional(name) is JsonFile affix && affix.Text().Length > 0)
            {
                throw affix.Wrong("absent (word affixes are not read)");
            }
        }

        if (model.Optional("dropout") is JsonFile dropout && !(dropout.Element.ValueKind == JsonValueKind.Number && dropout.Element.GetDouble() == 0))
        {
            throw dropout.Wrong("absent or 0 (it would make ids random)");
        }

        JsonFile vocab = model.Required("vocab");
        Dictionary<string, int> ids = ReadVocab(vocab);
        List<AddedToken> added = ReadAdded(root.Optional("added_tokens"));
        int size = CheckIds(ids, added, vocab.Where);
        BpeVocabulary vocabulary = new(ids);
        ReadMerges(model.Required("merges"), vocabulary);

        int? unknown = null;
        if (model.Optional("unk_token") is JsonFile token)
        {
            unknown = vocabulary.Find(token.Text()) ?? throw token.Wrong("a token of the vocabulary");
        }

        return new TokenizerJson(vocabulary, added, size)
        {
            Normalizer = Normalizer.Read(root.Optional("normalizer")),
            PreTokenizer = PreTokenizer.Read(root.Optional("pre_tokenizer")),
            UnknownId = unknown,
            FuseUnknown = model.OptionalFlag("fuse_unk") ?? false,
            ByteFallback = model.OptionalFlag("byte_fallback") ?? false,
            IgnoreMerges = model.OptionalFlag("ignore_merges") ?? false,
        };
    }

    private static Dictionary<string, int> ReadVocab(JsonFile vocab)
    {
        if (vocab.Element.ValueKind != JsonValueKind.Object)
        {
            throw vocab.Wrong("an object");
        }

        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        foreach (JsonProperty entry in vocab.Element.EnumerateObject())
        {
            string token;
            try
            {
                token = entry.Name;
            }
            catch (InvalidOperationException error)
            {
                throw new InvalidDataException($"{vocab.Where} holds a token that is no valid Unicode.", error);
            }

            if (!ids.TryAdd(token, new JsonFile($"{vocab.Where}[\"{token}\"]", entry.Value).Integer(0)))
            {
                throw new InvalidDataException($"{vocab.Where} holds token \"{token}\" twice.");
            }
        }

        return ids.Count > 0 ? ids : throw new InvalidDataException($"{vocab.Where} is empty.");
    }

    private static List<AddedToken> ReadAdded(JsonFile? field)
    {
        List<AddedToken> added = [];
        foreach (JsonFile token in field?.Items() ?? [])
        {
            bool special = token.OptionalFlag("special") ?? false;
            added.Add(new AddedToken(
                token.Required("id").Integer(0),
                token.Required("content").Text(),
                token.OptionalFlag("single_word") ?? false,
                token.OptionalFlag("lstrip") ?? false,
                token.OptionalFlag("rstrip") ?? false,
                token.OptionalFlag("normalized") ?? !special,
                special));
        }

        return added;
    }

    // An id far beyond the number of tokens would make tables larger than the file, so it is refused.
    private static int CheckIds(Dictionary<string, int> ids, List<AddedToken> added, string where)
    {
        long limit = (4L * (ids.Count + added.Count)) + 1024;
        int highest = 0;
        foreach ((string token, int id) in ids)
        {
            Check(token, id);
        }

        foreach (AddedToken token in added)
        {
            Check(token.Content, token.Id);
        }

        return highest + 1;

        void Check(string token, int id)
        {
            if (id >= limit)
            {
                throw new InvalidDataException($"{where}: token \"{token}\" has id {id}, far above the {ids.Count + added.Count} tokens of the file.");
            }

            highest = Math.Max(highest, id);
        }
    }

    // "a b" (older files) or ["a", "b"].
    private static void ReadMerges(JsonFile merges, BpeVocabulary vocabulary)
    {
        if (merges.Element.ValueKind != JsonValueKind.Array)
        {
            throw merges.Wrong("an array");
        }

        int rank = 0;
        foreach (JsonElement element in merges.Element.EnumerateArray())
        {
            (string left, string right) = Parts(merges, element, rank);
            int leftId = Known(left, rank);
            int rightId = Known(right, rank);
            vocabulary.AddMerge(leftId, rightId, Known(left + right, rank), rank);
            rank++;
        }

        int Known(string token, int index) => vocabulary.Find(token)
            ?? throw new InvalidDataException($"{merges.Where}[{index}] needs token \"{token}\", which is not in the vocabulary.");
    }

    private static (string Left, string Right) Parts(JsonFile merges, JsonElement element, int index)
    {
        if (element.ValueKind == JsonValueKind.Array && element.GetArrayLength() == 2)
        {
            return (Part(element[0]), Part(element[1]));
        }

        JsonFile merge = new($"{merges.Where}[{index}]", element);
        if (element.ValueKind != JsonValueKind.String)
        {
            throw merge.Wrong("two tokens");
        }

        string pair = merge.Text();
        int space = pair.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && space == pair.LastIndexOf(' ') && space < pair.Length - 1
            ? (pair[..space], pair[(space + 1)..])
            : throw merge.Wrong("two tokens with one space between them");

        string Part(JsonElement part) => new JsonFile($"{merges.Where}[{index}]", part).Text();
    }

    private static (List<int> Prefix, List<int> Suffix) ReadTemplate(JsonFile? field, int size, int depth)
    {
        List<int> prefix = [];
        List<int> suffix = [];
        if (field is not JsonFile processor)
        {
            return (prefix, suffix);
        }

        JsonFile type = processor.Required("type");
        switch (type.Text())
        {
            case "ByteLevel":
                break;
            case "Sequence" when depth < 8:
                foreach (JsonFile item in processor.Required("processors").Items())
                {
                    (List<int> before, List<int> after) = ReadTemplate(item, size, depth + 1);
                    prefix.InsertRange(0, before);
                    suffix.AddRange(after);
                }

                break;
            case "TemplateProcessing":
                ReadSingle(processor, size, prefix, suffix);
                break;
            default:
                throw type.Wrong("TemplateProcessing, ByteLevel or Sequence");
        }

        return (prefix, suffix);
    }

    private static void ReadSingle(JsonFile processor, int size, List<int> prefix, List<int> suffix)
    {
        List<int> target = prefix;
        foreach (JsonFile part in processor.Required("single").Items())
        {
            if (part.Optional("Sequence") is not null)
            {
                target = suffix;
                continue;
            }

            JsonFile name = part.Required("SpecialToken").Required("id");
            foreach (JsonFile id in processor.Required("special_tokens").Required(name.Text()).Required("ids").Items())
            {
                int value = id.Integer(0);
                target.Add(value < size ? value : throw id.Wrong($"a token id below {size}"));
            }
        }
    }
}
