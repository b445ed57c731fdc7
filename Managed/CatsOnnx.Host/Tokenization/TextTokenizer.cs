// SPDX-License-Identifier: MIT
// What every tokenizer of this project can do: text to ids, ids to the UTF-8 bytes of the text.
using System.Buffers;
using System.Text;

namespace CatsOnnx.Tokenization;

/// <summary>Turns text into token ids and back. Safe to use from several threads.</summary>
public abstract class TextTokenizer
{
    /// <summary>Where the tokenizer was read from.</summary>
    public string Source { get; init; } = "";

    /// <summary>One more than the highest id.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The id that begins a sequence, or null where the files name none.</summary>
    public int? BosId { get; init; }

    /// <summary>The id that ends a sequence, or null where the files name none.</summary>
    public int? EosId { get; init; }

    /// <summary>The ids put before a text when special tokens are asked for (usually bos, or nothing).</summary>
    public IReadOnlyList<int> PrefixIds { get; init; } = [];

    /// <summary>The ids put after a text when special tokens are asked for (usually nothing).</summary>
    public IReadOnlyList<int> SuffixIds { get; init; } = [];

    /// <summary>How many spaces the tokenizer puts before a text, which decoding takes away again (0 or 1).</summary>
    public int LeadingSpaces { get; init; }

    /// <summary>The ids of <paramref name="text"/>.</summary>
    /// <param name="text">Any text. Halves of surrogate pairs standing alone become U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether <see cref="PrefixIds"/> and <see cref="SuffixIds"/> are put around them.</param>
    /// <returns>[tokens], each below <see cref="VocabularySize"/>; empty for an empty text without special tokens.</returns>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = new(Math.Max(16, text.Length / 3));
        if (addSpecialTokens)
        {
            ids.AddRange(PrefixIds);
        }

        AppendIds(text, ids);
        if (addSpecialTokens)
        {
            ids.AddRange(SuffixIds);
        }

        return [.. ids];
    }

    /// <summary>The text of <paramref name="ids"/>; bytes that are no UTF-8 become U+FFFD.</summary>
    /// <param name="ids">[tokens].</param>
    /// <param name="skipSpecialTokens">Whether tokens that <see cref="IsSpecial"/> are left out.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative or not below <see cref="VocabularySize"/>.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        ArrayBufferWriter<byte> bytes = new(Math.Max(16, ids.Length * 4));
        int strip = LeadingSpaces;
        foreach (int id in ids)
        {
            bool special = IsSpecial(id);
            if (special && skipSpecialTokens)
            {
                continue;
            }

            ReadOnlySpan<byte> token = TokenBytes(id);
            if (strip > 0 && !token.IsEmpty)
            {
                token = token[0] == (byte)' ' && !special ? token[1..] : token;
                strip = 0;
            }

            bytes.Write(token);
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>The UTF-8 bytes that <paramref name="id"/> stands for: a part of a character where the token is a byte.
    /// Ids of the range that no token has give no bytes.</summary>
    /// <param name="id">0 or more, below <see cref="VocabularySize"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is negative or not below <see cref="VocabularySize"/>.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id)
    {
        CheckId(id);
        return BytesOf(id);
    }

    /// <summary>Whether <paramref name="id"/> is a special token (bos, eos, a chat marker), which decoding leaves out.</summary>
    /// <param name="id">0 or more, below <see cref="VocabularySize"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is negative or not below <see cref="VocabularySize"/>.</exception>
    public bool IsSpecial(int id)
    {
        CheckId(id);
        return SpecialOf(id);
    }

    /// <summary>The id of the token written <paramref name="token"/> in the vocabulary (with its own escapes), or null.</summary>
    /// <param name="token">As tokenizer.json or tokenizer.model spell it, such as "▁the", "Ġthe", "&lt;0x0A&gt;", "&lt;s&gt;".</param>
    public abstract int? FindToken(string token);

    /// <summary>A decoder that takes one id after another and never breaks a character.</summary>
    public StreamingDecoder CreateStreamingDecoder() => new(this);

    /// <summary>Appends the ids of <paramref name="text"/>, without special tokens around them.</summary>
    /// <param name="text">Any text, empty too.</param>
    /// <param name="ids">What was encoded before; gets each id, 0 to <see cref="VocabularySize"/> - 1.</param>
    protected abstract void AppendIds(string text, List<int> ids);

    /// <summary>The bytes of an id that is in the range.</summary>
    /// <param name="id">0 to <see cref="VocabularySize"/> - 1.</param>
    /// <returns>UTF-8, or a part of a character; empty for an id that no token has.</returns>
    protected abstract ReadOnlySpan<byte> BytesOf(int id);

    /// <summary>Whether an id that is in the range is special.</summary>
    /// <param name="id">0 to <see cref="VocabularySize"/> - 1.</param>
    /// <returns>False for an id that no token has.</returns>
    protected abstract bool SpecialOf(int id);

    private void CheckId(int id)
    {
        if ((uint)id >= (uint)VocabularySize)
        {
            throw new ArgumentOutOfRangeException(nameof(id), id, $"Token id {id} is not in 0 to {VocabularySize - 1} ({Source}).");
        }
    }
}
