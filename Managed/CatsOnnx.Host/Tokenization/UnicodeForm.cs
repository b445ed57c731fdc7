// SPDX-License-Identifier: MIT
// Unicode normalization that never silently does nothing: in globalization-invariant mode .NET has no tables for it.
using System.Text;

namespace CatsOnnx.Tokenization;

internal static class UnicodeForm
{
    // .NET 10 in invariant mode gives the text back as it is, without an error.
    private static readonly bool s_hasTables = "e\u0301".Normalize(NormalizationForm.FormC).Length == 1;

    /// <summary>Characters that are NFC by themselves and join with no neighbour: quick check "yes" and combining class 0.</summary>
    private static readonly (int First, int Last)[] s_composed =
    [
        (0x0000, 0x02FF), (0x0400, 0x0482), (0x0531, 0x058A), (0x05D0, 0x05EA), (0x2010, 0x2027), (0x2030, 0x205E), (0x20A0, 0x20C0),
        (0x2190, 0x21FF), (0x2500, 0x27BF), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFF01, 0xFF5E),
        (0x1F300, 0x1FAFF),
    ];

    /// <summary>The text in a normalization form.</summary>
    /// <exception cref="NotSupportedException">The process has no tables and the text may need them.</exception>
    public static string Apply(string text, NormalizationForm form)
    {
        if (s_hasTables)
        {
            return text.Normalize(form);
        }

        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!IsUnchanged(rune.Value, form))
            {
                throw new NotSupportedException($"The tokenizer normalizes text ({form}), and this text holds U+{rune.Value:X4}, "
                    + "for which .NET has no tables in globalization-invariant mode. Set InvariantGlobalization to false and install ICU.");
            }
        }

        return text;
    }

    private static bool IsUnchanged(int character, NormalizationForm form) =>
        form == NormalizationForm.FormC ? s_composed.Any(range => character >= range.First && character <= range.Last) : character < 0x80;
}
