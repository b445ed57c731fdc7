// SPDX-License-Identifier: MIT
// Regular expressions of tokenizer.json files, which mean code points where .NET's mean UTF-16 units.
using System.Globalization;
using System.Text.RegularExpressions;

namespace CatsOnnx.Tokenization;

/// <summary>Finds the matches of a pattern in text.</summary>
internal sealed class TextPattern
{
    private readonly Regex? _regex;
    private readonly string _literal = "";

    private TextPattern(Regex regex) => _regex = regex;

    private TextPattern(string literal) => _literal = literal;

    /// <summary>Reads {"String": ...} or {"Regex": ...}.</summary>
    public static TextPattern Read(JsonFile field)
    {
        if (field.Optional("String") is JsonFile literal)
        {
            string text = literal.Text();
            return text.Length > 0 ? new TextPattern(text) : throw literal.Wrong("text that is not empty");
        }

        return new TextPattern(Compile(field.Required("Regex")));
    }

    /// <summary>A pattern known to be right.</summary>
    public static TextPattern Of(string regex) => new(new Regex(regex, RegexOptions.CultureInvariant));

    /// <summary>Compiles the regular expression in a field; a match that takes 10 seconds is an error, not a hang.</summary>
    public static Regex Compile(JsonFile field)
    {
        string pattern = field.Text();
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10));
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{field.Where} is a regular expression that cannot be read: {error.Message}", error);
        }
    }

    /// <summary>The matches in <paramref name="text"/>, in order, empty ones left out.</summary>
    public IEnumerable<(int Start, int Length)> Matches(string text)
    {
        if (_regex is null)
        {
            for (int at = text.IndexOf(_literal, StringComparison.Ordinal); at >= 0;)
            {
                yield return (at, _literal.Length);
                int from = at + _literal.Length;
                at = from < text.Length ? text.IndexOf(_literal, from, StringComparison.Ordinal) : -1;
            }

            yield break;
        }

        (string units, int[]? starts) = OneUnitPerCodePoint(text);
        for (Match match = _regex.Match(units); match.Success; match = match.NextMatch())
        {
            if (match.Length > 0)
            {
                int start = starts is null ? match.Index : starts[match.Index];
                int end = starts is null ? match.Index + match.Length : starts[match.Index + match.Length];
                yield return (start, end - start);
            }
        }
    }

    /// <summary>A text with one UTF-16 unit for every code point: those above U+FFFF become a character of their own
    /// category, so that \p{L} and its like see what they are. starts[i] is where unit i begins; null where nothing changed.</summary>
    private static (string Units, int[]? Starts) OneUnitPerCodePoint(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            return (text, null);
        }

        char[] units = new char[text.Length];
        int[] starts = new int[text.Length + 1];
        int count = 0;
        for (int i = 0; i < text.Length; i++)
        {
            starts[count] = i;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                units[count++] = StandIn(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(text[i], text[i + 1])));
                i++;
            }
            else
            {
                units[count++] = text[i];
            }
        }

        starts[count] = text.Length;
        return (new string(units, 0, count), starts);
    }

    private static char StandIn(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => '\u0394',
        UnicodeCategory.LowercaseLetter => '\u03B4',
        UnicodeCategory.TitlecaseLetter => '\u01C5',
        UnicodeCategory.ModifierLetter => '\u02B0',
        UnicodeCategory.OtherLetter => '\u05D0',
        UnicodeCategory.NonSpacingMark => '\u0301',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.EnclosingMark => '\u20DD',
        UnicodeCategory.DecimalDigitNumber => '\u0663',
        UnicodeCategory.LetterNumber => '\u2160',
        UnicodeCategory.OtherNumber => '\u00B2',
        UnicodeCategory.MathSymbol => '\u00D7',
        UnicodeCategory.CurrencySymbol => '\u00A3',
        UnicodeCategory.OtherSymbol => '\u00A9',
        UnicodeCategory.OtherPunctuation => '\u00BF',
        UnicodeCategory.Format => '\u200D',
        UnicodeCategory.PrivateUse => '\uE000',
        _ => '\u0378', // not assigned
    };
}
