// SPDX-License-Identifier: MIT
// The normalizers of a tokenizer.json: what is done to a text before it is cut.
using System.Text;
using System.Text.RegularExpressions;

namespace CatsOnnx.Tokenization;

/// <summary>A chain of text replacements.</summary>
internal sealed class Normalizer
{
    private readonly List<Func<string, string>> _steps = [];

    /// <summary>How many spaces are put before a text (0 or 1).</summary>
    public int LeadingSpaces { get; private set; }

    /// <summary>Reads the field "normalizer".</summary>
    public static Normalizer Read(JsonFile? field)
    {
        Normalizer normalizer = new();
        if (field is JsonFile there)
        {
            normalizer.Add(there, depth: 0);
        }

        return normalizer;
    }

    public string Apply(string text)
    {
        foreach (Func<string, string> step in _steps)
        {
            text = step(text);
        }

        return text;
    }

    private void Add(JsonFile field, int depth)
    {
        string type = field.Required("type").Text();
        switch (type)
        {
            case "Sequence" when depth < 8:
                foreach (JsonFile item in field.Required("normalizers").Items())
                {
                    Add(item, depth + 1);
                }

                break;
            case "Prepend":
                string prepend = field.Required("prepend").Text();
                LeadingSpaces = prepend is "\u2581" or " " ? 1 : LeadingSpaces;
                _steps.Add(text => text.Length == 0 ? text : prepend + text);
                break;
            case "Replace":
                _steps.Add(Replace(field));
                break;
            case "NFC":
                _steps.Add(text => UnicodeForm.Apply(text, NormalizationForm.FormC));
                break;
            case "NFD":
                _steps.Add(text => UnicodeForm.Apply(text, NormalizationForm.FormD));
                break;
            case "NFKC":
                _steps.Add(text => UnicodeForm.Apply(text, NormalizationForm.FormKC));
                break;
            case "NFKD":
                _steps.Add(text => UnicodeForm.Apply(text, NormalizationForm.FormKD));
                break;
            case "Lowercase":
                _steps.Add(text => text.ToLowerInvariant());
                break;
            case "Strip":
                bool left = field.Required("strip_left").Flag();
                bool right = field.Required("strip_right").Flag();
                _steps.Add(text => (left, right) switch
                {
                    (true, true) => text.Trim(),
                    (true, false) => text.TrimStart(),
                    (false, true) => text.TrimEnd(),
                    _ => text,
                });
                break;
            default:
                throw field.Required("type").Wrong("Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase or Strip");
        }
    }

    private static Func<string, string> Replace(JsonFile field)
    {
        string content = field.Required("content").Text();
        JsonFile pattern = field.Required("pattern");
        if (pattern.Optional("String") is JsonFile literal)
        {
            string text = literal.Text();
            return text.Length == 0
                ? throw literal.Wrong("text that is not empty")
                : source => source.Replace(text, content, StringComparison.Ordinal);
        }

        Regex regex = TextPattern.Compile(pattern.Required("Regex"));
        return source => regex.Replace(source, content.Replace("$", "$$", StringComparison.Ordinal));
    }
}
