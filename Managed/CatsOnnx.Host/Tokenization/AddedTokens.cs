// SPDX-License-Identifier: MIT
// The added tokens of a tokenizer.json: found in the text before BPE sees it, the longest first.
using System.Text;

namespace CatsOnnx.Tokenization;

/// <summary>One entry of added_tokens.</summary>
internal sealed record AddedToken(int Id, string Content, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized, bool Special);

/// <summary>Cuts text at the added tokens of one kind.</summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<char, AddedToken[]> _byFirst = []; // longest content first

    public AddedTokens(IEnumerable<AddedToken> tokens)
    {
        foreach (IGrouping<char, AddedToken> group in tokens.Where(token => token.Content.Length > 0).GroupBy(token => token.Content[0]))
        {
            _byFirst[group.Key] = [.. group.OrderByDescending(token => token.Content.Length)];
        }
    }

    public bool IsEmpty => _byFirst.Count == 0;

    /// <summary>Gives the pieces of <paramref name="text"/> in order: text between tokens, or a token.</summary>
    public IEnumerable<(string Text, AddedToken? Token)> Cut(string text)
    {
        int done = 0;
        int position = 0;
        while (position < text.Length)
        {
            if (!_byFirst.TryGetValue(text[position], out AddedToken[]? candidates) || Match(text, position, candidates) is not AddedToken token)
            {
                position++;
                continue;
            }

            int start = position;
            int end = position + token.Content.Length;
            while (token.LeftStrip && start > done && char.IsWhiteSpace(text[start - 1]))
            {
                start--;
            }

            while (token.RightStrip && end < text.Length && char.IsWhiteSpace(text[end]))
            {
                end++;
            }

            if (start > done)
            {
                yield return (text[done..start], null);
            }

            yield return (token.Content, token);
            done = position = end;
        }

        if (done < text.Length)
        {
            yield return (done == 0 ? text : text[done..], null);
        }
    }

    private static AddedToken? Match(string text, int position, AddedToken[] candidates)
    {
        foreach (AddedToken token in candidates)
        {
            if (string.CompareOrdinal(text, position, token.Content, 0, token.Content.Length) == 0
                && !(token.SingleWord && (IsWordBefore(text, position) || IsWordAt(text, position + token.Content.Length))))
            {
                return token;
            }
        }

        return null;
    }

    private static bool IsWordBefore(string text, int end) =>
        end > 0 && Rune.DecodeLastFromUtf16(text.AsSpan(0, end), out Rune rune, out _) == System.Buffers.OperationStatus.Done && IsWord(rune);

    private static bool IsWordAt(string text, int start) =>
        start < text.Length && Rune.DecodeFromUtf16(text.AsSpan(start), out Rune rune, out _) == System.Buffers.OperationStatus.Done && IsWord(rune);

    private static bool IsWord(Rune rune) => Rune.IsLetterOrDigit(rune) || rune.Value == '_';
}
