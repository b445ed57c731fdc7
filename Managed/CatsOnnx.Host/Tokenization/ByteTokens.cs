// SPDX-License-Identifier: MIT
// The two ways in which a vocabulary writes single bytes: <0x0A> (SentencePiece) and the printable alphabet of GPT-2.
namespace CatsOnnx.Tokenization;

internal static class ByteTokens
{
    private static readonly char[] s_characters = MakeAlphabet(); // [256]: the character that stands for each byte

    /// <summary>The character that stands for <paramref name="value"/> in a byte-level vocabulary.</summary>
    public static char Character(byte value) => s_characters[value];

    /// <summary>How a byte-fallback vocabulary writes <paramref name="value"/>: &lt;0x0A&gt;.</summary>
    public static string Name(byte value) => $"<0x{value:X2}>";

    /// <summary>Reads &lt;0x0A&gt;.</summary>
    public static bool TryParse(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out value);
    }

    /// <summary>The bytes of a byte-level token; characters outside the alphabet keep their UTF-8 bytes.</summary>
    public static byte[] FromByteLevel(string token)
    {
        List<byte> bytes = new(token.Length);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (System.Text.Rune rune in token.EnumerateRunes())
        {
            int value = rune.IsBmp ? Array.IndexOf(s_characters, (char)rune.Value) : -1;
            if (value >= 0)
            {
                bytes.Add((byte)value);
                continue;
            }

            int count = rune.EncodeToUtf8(utf8);
            foreach (byte part in utf8[..count])
            {
                bytes.Add(part);
            }
        }

        return [.. bytes];
    }

    // GPT-2's rule: printable Latin-1 bytes stand for themselves, the others get the characters from U+0100 on, in order.
    private static char[] MakeAlphabet()
    {
        char[] characters = new char[256];
        char next = '\u0100';
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[value] = printable ? (char)value : next++;
        }

        return characters;
    }
}
