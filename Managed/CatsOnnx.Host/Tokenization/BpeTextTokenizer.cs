// SPDX-License-Identifier: MIT
// BPE as a tokenizer.json describes it: added tokens, normalizer, cuts, merges; byte fallback or byte-level.
using System.Text;

namespace CatsOnnx.Tokenization;

/// <summary>A tokenizer read from tokenizer.json.</summary>
internal sealed class BpeTextTokenizer : TextTokenizer
{
    private readonly TokenizerJson _json;
    private readonly AddedTokens _rawAdded; // matched in the text as it is
    private readonly AddedTokens _normalizedAdded; // matched after normalization
    private readonly byte[]?[] _bytes; // [vocabulary]: what each id stands for
    private readonly bool[] _special; // [vocabulary]
    private readonly CharacterParts _parts;

    public BpeTextTokenizer(TokenizerJson json)
    {
        _json = json;
        _bytes = new byte[]?[json.Size];
        _special = new bool[json.Size];
        bool byteLevel = json.PreTokenizer.ByteLevel;
        foreach ((string token, int id) in json.Vocabulary.Ids)
        {
            _bytes[id] = byteLevel ? ByteTokens.FromByteLevel(token)
                : json.ByteFallback && ByteTokens.TryParse(token, out byte value) ? [value]
                : Encoding.UTF8.GetBytes(token.Replace('\u2581', ' '));
        }

        foreach (AddedToken token in json.Added)
        {
            _bytes[token.Id] = Encoding.UTF8.GetBytes(token.Content);
            _special[token.Id] |= token.Special;
        }

        int[] byteIds = new int[256];
        for (int value = 0; value < 256; value++)
        {
            string name = byteLevel ? ByteTokens.Character((byte)value).ToString() : ByteTokens.Name((byte)value);
            byteIds[value] = byteLevel || json.ByteFallback ? json.Vocabulary.Find(name) ?? -1 : -1;
        }

        _parts = new CharacterParts(json.Vocabulary, byteIds, json.UnknownId, json.FuseUnknown);
        _rawAdded = new AddedTokens(json.Added.Where(token => !token.Normalized));
        _normalizedAdded = new AddedTokens(json.Added.Where(token => token.Normalized)
            .Select(token => token with { Content = json.Normalizer.Apply(token.Content) }));
    }

    public override int VocabularySize => _bytes.Length;

    public override int? FindToken(string token)
    {
        foreach (AddedToken added in _json.Added)
        {
            if (added.Content == token)
            {
                return added.Id;
            }
        }

        return _json.Vocabulary.Find(token);
    }

    protected override void AppendIds(string text, List<int> ids)
    {
        bool first = true;
        foreach ((string part, AddedToken? token) in _rawAdded.Cut(WholeCharacters.Of(text)))
        {
            if (token is not null)
            {
                ids.Add(token.Id);
                first = false;
                continue;
            }

            foreach ((string piece, AddedToken? inner) in _normalizedAdded.Cut(_json.Normalizer.Apply(part)))
            {
                if (inner is not null)
                {
                    ids.Add(inner.Id);
                }
                else
                {
                    AppendText(new PreTokenizer.Piece(piece, first), ids);
                }

                first = false;
            }
        }
    }

    protected override ReadOnlySpan<byte> BytesOf(int id) => _bytes[id];

    protected override bool SpecialOf(int id) => _special[id];

    private void AppendText(PreTokenizer.Piece text, List<int> ids)
    {
        List<int> parts = [];
        foreach (PreTokenizer.Piece word in _json.PreTokenizer.Apply(text))
        {
            if (_json.IgnoreMerges && WholeWord(word.Text) is int id)
            {
                ids.Add(id);
                continue;
            }

            parts.Clear();
            if (_json.PreTokenizer.ByteLevel)
            {
                _parts.AddBytes(word.Text, parts);
            }
            else
            {
                _parts.AddCharacters(word.Text, parts);
            }

            _json.Vocabulary.Apply(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(parts), ids);
        }
    }

    private int? WholeWord(string word)
    {
        if (!_json.PreTokenizer.ByteLevel)
        {
            return _json.Vocabulary.Find(word);
        }

        byte[] utf8 = Encoding.UTF8.GetBytes(word);
        return _json.Vocabulary.Find(string.Create(utf8.Length, utf8, static (characters, bytes) =>
        {
            for (int i = 0; i < bytes.Length; i++)
            {
                characters[i] = ByteTokens.Character(bytes[i]);
            }
        }));
    }
}
