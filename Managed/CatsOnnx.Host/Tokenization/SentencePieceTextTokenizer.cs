// SPDX-License-Identifier: MIT
// SentencePiece BPE (tokenizer.model). Microsoft.ML.Tokenizers 2.0.1 was tried for this: it gives other ids than Google's
// SentencePiece in 5 of the 5 texts of ../shared/models/ids, so the merging of tokenizer.json serves both.
using System.Runtime.InteropServices;
using System.Text;

namespace CatsOnnx.Tokenization;

/// <summary>A tokenizer of a SentencePiece .model file (BPE: the Llama 1 and 2 and Mistral kind).</summary>
internal sealed class SentencePieceTextTokenizer : TextTokenizer
{
    private readonly SentencePieceModel _model;
    private readonly BpeVocabulary _vocabulary;
    private readonly CharacterParts _parts;
    private readonly AddedTokens _userDefined;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal); // every piece
    private readonly byte[][] _bytes; // [vocabulary]: what each id stands for

    private SentencePieceTextTokenizer(SentencePieceModel model)
    {
        _model = model;
        int[] byteIds = new int[256];
        Array.Fill(byteIds, -1);
        int? unknown = null;
        Dictionary<string, int> normal = new(StringComparer.Ordinal);
        List<AddedToken> userDefined = [];
        _bytes = new byte[model.Pieces.Count][];
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            SentencePiece piece = model.Pieces[id];
            _ids[piece.Text] = id;
            _bytes[id] = Encoding.UTF8.GetBytes(model.EscapeWhitespaces ? piece.Text.Replace('\u2581', ' ') : piece.Text);
            switch (piece.Kind)
            {
                case PieceKind.Byte when ByteTokens.TryParse(piece.Text, out byte value):
                    _bytes[id] = [value];
                    byteIds[value] = model.ByteFallback ? id : -1;
                    break;
                case PieceKind.Normal:
                    normal.Add(piece.Text, id);
                    break;
                case PieceKind.UserDefined:
                    userDefined.Add(new AddedToken(id, piece.Text, false, false, false, true, false));
                    break;
                case PieceKind.Unknown:
                    unknown = id;
                    break;
            }
        }

        _vocabulary = new BpeVocabulary(normal);
        AddMerges();
        _parts = new CharacterParts(_vocabulary, byteIds, unknown, fuseUnknown: true);
        _userDefined = new AddedTokens(userDefined);
    }

    public override int VocabularySize => _bytes.Length;

    public override int? FindToken(string token) => _ids.TryGetValue(token, out int id) ? id : null;

    /// <summary>Reads a .model file.</summary>
    /// <exception cref="InvalidDataException">The file is no SentencePiece BPE model, or needs what is not understood.</exception>
    public static SentencePieceTextTokenizer Read(string path, TokenizerConfig config)
    {
        SentencePieceModel model = SentencePieceModel.Read(path);
        int? bos = Known(model.BosId);
        int? eos = Known(model.EosId);
        return new SentencePieceTextTokenizer(model)
        {
            Source = path,
            BosId = bos,
            EosId = eos,
            LeadingSpaces = model.AddDummyPrefix ? 1 : 0,
            PrefixIds = bos is int first && (config.AddBosToken ?? true) ? [first] : [],
            SuffixIds = eos is int last && (config.AddEosToken ?? false) ? [last] : [],
        };

        int? Known(int id) => id >= 0 && id < model.Pieces.Count ? id : null;
    }

    protected override void AppendIds(string text, List<int> ids)
    {
        List<int> parts = [];
        foreach ((string piece, AddedToken? token) in _userDefined.Cut(Normalize(WholeCharacters.Of(text))))
        {
            if (token is not null)
            {
                ids.Add(token.Id);
                continue;
            }

            parts.Clear();
            _parts.AddCharacters(piece, parts);
            _vocabulary.Apply(CollectionsMarshal.AsSpan(parts), ids);
        }
    }

    protected override ReadOnlySpan<byte> BytesOf(int id) => _bytes[id];

    protected override bool SpecialOf(int id) => _model.Pieces[id].Kind is PieceKind.Control or PieceKind.Unknown;

    private string Normalize(string text)
    {
        if (_model.RemoveExtraWhitespaces)
        {
            text = string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        }

        if (_model.AddDummyPrefix && text.Length > 0)
        {
            text = " " + text;
        }

        return _model.EscapeWhitespaces ? text.Replace(' ', '\u2581') : text;
    }

    // Any two neighbours whose text together is a piece merge, the highest score first and of equal scores the leftmost:
    // so each way to cut a piece in two is a merge, with one rank for each distinct score.
    private void AddMerges()
    {
        float[] scores = [.. _vocabulary.Ids.Values.Select(id => _model.Pieces[id].Score).Distinct().OrderDescending()];
        Dictionary<float, int> ranks = new(scores.Length);
        for (int rank = 0; rank < scores.Length; rank++)
        {
            ranks[scores[rank]] = rank;
        }

        foreach ((string text, int id) in _vocabulary.Ids)
        {
            int rank = ranks[_model.Pieces[id].Score];
            for (int cut = 1; cut < text.Length; cut++)
            {
                if (_vocabulary.Find(text.AsSpan(0, cut)) is int left && _vocabulary.Find(text.AsSpan(cut)) is int right)
                {
                    _vocabulary.AddMerge(left, right, id, rank);
                }
            }
        }
    }
}
