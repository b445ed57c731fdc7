// SPDX-License-Identifier: MIT
// Reads SentencePiece .model files (a protobuf message) as far as encoding and decoding need it.
using System.Text;
using Google.Protobuf;

namespace CatsOnnx.Tokenization;

/// <summary>The kinds of a piece, with the numbers of the file format.</summary>
internal enum PieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>One piece; its id is its place in the file.</summary>
internal readonly record struct SentencePiece(string Text, float Score, PieceKind Kind);

/// <summary>A SentencePiece model file.</summary>
internal sealed class SentencePieceModel
{
    private const int BpeModel = 2;
    private const int LongestPiece = 512; // the ways to cut a piece grow with its square; real ones have up to 64 characters

    private int _modelType = 1; // unigram: what the format means when the field is absent
    private bool _spaceAsSuffix;
    private bool _hasCharacterMap;
    private string _normalizerName = "";

    private SentencePieceModel()
    {
    }

    public List<SentencePiece> Pieces { get; } = [];

    public bool ByteFallback { get; private set; }

    public int BosId { get; private set; } = 1;

    public int EosId { get; private set; } = 2;

    /// <summary>Whether a space is put before the text.</summary>
    public bool AddDummyPrefix { get; private set; } = true;

    public bool RemoveExtraWhitespaces { get; private set; } = true;

    /// <summary>Whether spaces are written as U+2581 in pieces.</summary>
    public bool EscapeWhitespaces { get; private set; } = true;

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is no such file, is no BPE model or asks for what is not understood.</exception>
    public static SentencePieceModel Read(string path)
    {
        SentencePieceModel model = new();
        try
        {
            CodedInputStream input = new(File.ReadAllBytes(path));
            for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
            {
                switch (WireFormat.GetTagFieldNumber(tag))
                {
                    case 1:
                        model.Pieces.Add(ReadPiece(input.ReadBytes().CreateCodedInput()));
                        break;
                    case 2:
                        model.ReadTrainer(input.ReadBytes().CreateCodedInput());
                        break;
                    case 3:
                        model.ReadNormalizer(input.ReadBytes().CreateCodedInput());
                        break;
                    default:
                        input.SkipLastField();
                        break;
                }
            }
        }
        catch (InvalidProtocolBufferException error)
        {
            throw new InvalidDataException($"'{path}' is no SentencePiece model: {error.Message}", error);
        }

        model.Check(path);
        return model;
    }

    private static SentencePiece ReadPiece(CodedInputStream input)
    {
        string text = "";
        float score = 0;
        PieceKind kind = PieceKind.Normal;
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1:
                    text = input.ReadString();
                    break;
                case 2:
                    score = input.ReadFloat();
                    break;
                case 3:
                    kind = (PieceKind)input.ReadEnum();
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        return new SentencePiece(text, score, kind);
    }

    private void ReadTrainer(CodedInputStream input)
    {
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 3:
                    _modelType = input.ReadEnum();
                    break;
                case 24:
                    _spaceAsSuffix = input.ReadBool();
                    break;
                case 35:
                    ByteFallback = input.ReadBool();
                    break;
                case 41:
                    BosId = input.ReadInt32();
                    break;
                case 42:
                    EosId = input.ReadInt32();
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
    }

    private void ReadNormalizer(CodedInputStream input)
    {
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1:
                    _normalizerName = input.ReadString();
                    break;
                case 2:
                    _hasCharacterMap = input.ReadBytes().Length > 0;
                    break;
                case 3:
                    AddDummyPrefix = input.ReadBool();
                    break;
                case 4:
                    RemoveExtraWhitespaces = input.ReadBool();
                    break;
                case 5:
                    EscapeWhitespaces = input.ReadBool();
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
    }

    private void Check(string path)
    {
        if (Pieces.Count == 0)
        {
            throw new InvalidDataException($"'{path}' is no SentencePiece model: it holds no pieces.");
        }

        if (_modelType != BpeModel)
        {
            throw new InvalidDataException($"'{path}': trainer_spec.model_type is {_modelType}; only {BpeModel} (BPE) is read.");
        }

        if (_spaceAsSuffix)
        {
            throw new InvalidDataException($"'{path}': trainer_spec.treat_whitespace_as_suffix is true; only false is read.");
        }

        if (_hasCharacterMap)
        {
            throw new InvalidDataException($"'{path}': normalizer_spec.precompiled_charsmap ('{_normalizerName}') is not read; only the identity normalizer is.");
        }

        HashSet<string> texts = new(StringComparer.Ordinal);
        for (int id = 0; id < Pieces.Count; id++)
        {
            SentencePiece piece = Pieces[id];
            if (piece.Text.Length == 0 || !texts.Add(piece.Text))
            {
                throw new InvalidDataException($"'{path}': piece {id} (\"{piece.Text}\") is empty or there twice.");
            }

            if (piece.Text.Length > LongestPiece)
            {
                throw new InvalidDataException($"'{path}': piece {id} has {piece.Text.Length} characters; at most {LongestPiece} are read.");
            }

            if (piece.Kind is < PieceKind.Normal or > PieceKind.Byte or PieceKind.Unused)
            {
                throw new InvalidDataException($"'{path}': piece {id} (\"{piece.Text}\") has type {(int)piece.Kind}, which is not read.");
            }

            if (piece.Kind == PieceKind.Byte && !ByteTokens.TryParse(piece.Text, out _))
            {
                throw new InvalidDataException($"'{path}': piece {id} is a byte, but is written \"{piece.Text}\".");
            }

            if (!float.IsFinite(piece.Score))
            {
                throw new InvalidDataException($"'{path}': piece {id} (\"{piece.Text}\") has score {piece.Score}.");
            }
        }
    }
}
