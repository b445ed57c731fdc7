// SPDX-License-Identifier: MIT
// Text without halves of surrogate pairs: C# strings may hold them, UTF-8 and tokenizers may not.
using System.Text;

namespace CatsOnnx.Tokenization;

internal static class WholeCharacters
{
    /// <summary>The text itself, or a copy with U+FFFD for each lone half.</summary>
    public static string Of(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                StringBuilder whole = new(text.Length);
                foreach (Rune rune in text.EnumerateRunes())
                {
                    whole.Append(rune.ToString());
                }

                return whole.ToString();
            }
        }

        return text;
    }
}
