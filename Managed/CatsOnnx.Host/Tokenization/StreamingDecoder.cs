// SPDX-License-Identifier: MIT
// Ids to text piece by piece: a piece never ends inside a character, whatever bytes the tokens hold.
using System.Buffers;
using System.Text;

namespace CatsOnnx.Tokenization;

/// <summary>Decodes a stream of ids. All pieces together are what decoding the whole stream gives. One stream at a time.</summary>
public sealed class StreamingDecoder
{
    private readonly TextTokenizer? _tokenizer;
    private readonly byte[] _pending = new byte[4]; // the start of a character that is not whole yet
    private int _pendingLength;
    private int _stripSpaces;
    private byte[] _joined = new byte[64];
    private char[] _characters = new char[64];

    /// <summary>A decoder over the tokens of <paramref name="tokenizer"/>.</summary>
    /// <param name="tokenizer">Of the model that gives the ids; spaces that it puts before a text are left out at the start.</param>
    public StreamingDecoder(TextTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _stripSpaces = tokenizer.LeadingSpaces;
    }

    /// <summary>A decoder of bytes alone, for <see cref="Append"/>.</summary>
    internal StreamingDecoder()
    {
    }

    /// <summary>Whether special tokens are left out of the text (the default).</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>Starts in the middle of a text: the first token keeps its leading space. For a text that follows a prompt.</summary>
    public void ContinueText() => _stripSpaces = 0;

    /// <summary>The text that <paramref name="id"/> completes: empty while a character is not whole.
    /// The span holds until the next call.</summary>
    /// <param name="id">0 to vocabulary size - 1.</param>
    /// <returns>UTF-16; bytes that are no UTF-8 are U+FFFD.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public ReadOnlySpan<char> Next(int id)
    {
        TextTokenizer tokenizer = _tokenizer ?? throw new InvalidOperationException("This decoder was made without a tokenizer.");
        bool special = tokenizer.IsSpecial(id);
        if (special && SkipSpecialTokens)
        {
            return default;
        }

        ReadOnlySpan<byte> token = tokenizer.TokenBytes(id);
        if (_stripSpaces > 0 && !token.IsEmpty)
        {
            token = token[0] == (byte)' ' && !special ? token[1..] : token;
            _stripSpaces = 0;
        }

        return Append(token);
    }

    /// <summary>What is left at the end of the stream: U+FFFD for a character that never became whole, else empty.</summary>
    /// <returns>0 or 1 characters; they hold until the next call.</returns>
    public ReadOnlySpan<char> Finish()
    {
        ReadOnlySpan<byte> rest = _pending.AsSpan(0, _pendingLength);
        _pendingLength = 0;
        int count = Encoding.UTF8.GetChars(rest, _characters);
        return _characters.AsSpan(0, count);
    }

    /// <summary>The text that these bytes complete; an unfinished character waits for the next call.</summary>
    internal ReadOnlySpan<char> Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return default;
        }

        int length = _pendingLength + bytes.Length;
        if (_joined.Length < length)
        {
            _joined = new byte[Math.Max(length, _joined.Length * 2)];
        }

        _pending.AsSpan(0, _pendingLength).CopyTo(_joined);
        bytes.CopyTo(_joined.AsSpan(_pendingLength));
        int whole = length - UnfinishedTail(_joined.AsSpan(0, length));
        _pendingLength = length - whole;
        _joined.AsSpan(whole, _pendingLength).CopyTo(_pending);
        if (_characters.Length < whole)
        {
            _characters = new char[Math.Max(whole, _characters.Length * 2)];
        }

        int count = Encoding.UTF8.GetChars(_joined.AsSpan(0, whole), _characters);
        return _characters.AsSpan(0, count);
    }

    /// <summary>How many bytes at the end (0 to 3) may still become a character when more follow.</summary>
    private static int UnfinishedTail(ReadOnlySpan<byte> bytes)
    {
        for (int count = 1; count <= 3 && count <= bytes.Length; count++)
        {
            if (bytes[^count] is >= 0x80 and < 0xC0)
            {
                continue; // a continuation byte: its first byte lies further left
            }

            return Rune.DecodeFromUtf8(bytes[^count..], out _, out _) == OperationStatus.NeedMoreData ? count : 0;
        }

        return 0;
    }
}
