// SPDX-License-Identifier: MIT
// The smallest parts of a word: one id for each character, its bytes where the vocabulary lacks it, else the unknown id.
using System.Text;

namespace CatsOnnx.Tokenization;

/// <summary>Cuts words into the ids that merging starts from.</summary>
internal sealed class CharacterParts
{
    private readonly BpeVocabulary _vocabulary;
    private readonly int[] _byteIds; // [256]: the id of each byte, -1 where there is none
    private readonly int? _unknownId;
    private readonly bool _fuseUnknown;

    /// <param name="vocabulary">Where characters are looked up.</param>
    /// <param name="byteIds">The id of each of the 256 bytes, -1 where there is none; all -1: no byte fallback.</param>
    /// <param name="unknownId">The id of what cannot be written; null: it is left out.</param>
    /// <param name="fuseUnknown">Whether a run of unknown characters gives one id.</param>
    public CharacterParts(BpeVocabulary vocabulary, int[] byteIds, int? unknownId, bool fuseUnknown)
    {
        _vocabulary = vocabulary;
        _byteIds = byteIds;
        _unknownId = unknownId;
        _fuseUnknown = fuseUnknown;
    }

    /// <summary>Appends the ids of the UTF-8 bytes of <paramref name="word"/>.</summary>
    public void AddBytes(string word, List<int> parts)
    {
        bool afterUnknown = false;
        foreach (byte value in Encoding.UTF8.GetBytes(word))
        {
            if (_byteIds[value] >= 0)
            {
                parts.Add(_byteIds[value]);
                afterUnknown = false;
            }
            else
            {
                AddUnknown(parts, ref afterUnknown);
            }
        }
    }

    /// <summary>Appends the ids of the characters of <paramref name="word"/>.</summary>
    public void AddCharacters(string word, List<int> parts)
    {
        Span<char> utf16 = stackalloc char[2];
        Span<byte> utf8 = stackalloc byte[4];
        bool afterUnknown = false;
        foreach (Rune rune in word.EnumerateRunes())
        {
            if (_vocabulary.Find(utf16[..rune.EncodeToUtf16(utf16)]) is int id)
            {
                parts.Add(id);
                afterUnknown = false;
                continue;
            }

            Span<byte> bytes = utf8[..rune.EncodeToUtf8(utf8)];
            if (HasAll(bytes))
            {
                foreach (byte value in bytes)
                {
                    parts.Add(_byteIds[value]);
                }

                afterUnknown = false;
            }
            else
            {
                AddUnknown(parts, ref afterUnknown);
            }
        }
    }

    private bool HasAll(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            if (_byteIds[value] < 0)
            {
                return false;
            }
        }

        return true;
    }

    private void AddUnknown(List<int> parts, ref bool afterUnknown)
    {
        if (_unknownId is int unknown && !(afterUnknown && _fuseUnknown))
        {
            parts.Add(unknown);
        }

        afterUnknown = true;
    }
}
