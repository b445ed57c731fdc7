// SPDX-License-Identifier: MIT
// The pre-tokenizers of a tokenizer.json: how a text is cut into the words that BPE merges within.
namespace CatsOnnx.Tokenization;

/// <summary>A chain of cuts.</summary>
internal sealed class PreTokenizer
{
    // The pattern of GPT-2, which "ByteLevel" means by use_regex.
    private const string Gpt2Words = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private readonly List<Func<Piece, IEnumerable<Piece>>> _steps = [];

    /// <summary>A part of a text; <paramref name="First"/> where it begins the text given to the tokenizer.</summary>
    internal readonly record struct Piece(string Text, bool First);

    /// <summary>Whether words are merged over their UTF-8 bytes, written in GPT-2's alphabet.</summary>
    public bool ByteLevel { get; private set; }

    /// <summary>How many spaces are put before a text (0 or 1).</summary>
    public int LeadingSpaces { get; private set; }

    /// <summary>Reads the field "pre_tokenizer".</summary>
    public static PreTokenizer Read(JsonFile? field)
    {
        PreTokenizer cuts = new();
        if (field is JsonFile there)
        {
            cuts.Add(there, depth: 0);
        }

        return cuts;
    }

    public IEnumerable<Piece> Apply(Piece text)
    {
        IEnumerable<Piece> pieces = [text];
        foreach (Func<Piece, IEnumerable<Piece>> step in _steps)
        {
            pieces = pieces.SelectMany(step);
        }

        return pieces;
    }

    private void Add(JsonFile field, int depth)
    {
        JsonFile type = field.Required("type");
        switch (type.Text())
        {
            case "Sequence" when depth < 8:
                foreach (JsonFile item in field.Required("pretokenizers").Items())
                {
                    Add(item, depth + 1);
                }

                break;
            case "Split":
                AddSplit(TextPattern.Read(field.Required("pattern")), field.Required("behavior"), field.OptionalFlag("invert") ?? false);
                break;
            case "Digits":
                bool individual = field.OptionalFlag("individual_digits") ?? false;
                TextPattern digits = TextPattern.Of(individual ? @"\p{N}" : @"\p{N}+");
                _steps.Add(piece => Isolated(piece, digits.Matches(piece.Text)));
                break;
            case "ByteLevel":
                AddByteLevel(field);
                break;
            case "Metaspace":
                AddMetaspace(field);
                break;
            default:
                throw type.Wrong("Sequence, Split, Digits, ByteLevel or Metaspace");
        }
    }

    private void AddByteLevel(JsonFile field)
    {
        ByteLevel = true;
        if (field.OptionalFlag("add_prefix_space") ?? true)
        {
            LeadingSpaces = 1;
            _steps.Add(piece => [piece.Text.StartsWith(' ') ? piece : piece with { Text = " " + piece.Text }]);
        }

        if (field.OptionalFlag("use_regex") ?? true)
        {
            TextPattern words = TextPattern.Of(Gpt2Words);
            _steps.Add(piece => Isolated(piece, words.Matches(piece.Text)));
        }
    }

    private void AddMetaspace(JsonFile field)
    {
        string replacement = field.OptionalText("replacement") ?? "\u2581";
        if (replacement.Length != 1)
        {
            throw field.Required("replacement").Wrong("one character");
        }

        bool addPrefix = field.OptionalFlag("add_prefix_space") ?? true;
        string scheme = field.OptionalText("prepend_scheme") ?? (addPrefix ? "always" : "never");
        if (scheme is not ("always" or "first" or "never"))
        {
            throw field.Required("prepend_scheme").Wrong("always, first or never");
        }

        LeadingSpaces = scheme == "never" ? LeadingSpaces : 1;
        _steps.Add(piece =>
        {
            string text = piece.Text.Replace(" ", replacement, StringComparison.Ordinal);
            bool prepend = (scheme == "always" || (scheme == "first" && piece.First)) && !text.StartsWith(replacement, StringComparison.Ordinal);
            return [piece with { Text = prepend ? replacement + text : text }];
        });
        if (field.OptionalFlag("split") ?? true)
        {
            TextPattern spaces = TextPattern.Of(System.Text.RegularExpressions.Regex.Escape(replacement));
            _steps.Add(piece => MergedWithNext(piece, spaces.Matches(piece.Text)));
        }
    }

    private void AddSplit(TextPattern pattern, JsonFile behavior, bool invert)
    {
        Func<Piece, IEnumerable<(int Start, int Length)>, IEnumerable<Piece>> cut = behavior.Text() switch
        {
            "Isolated" => Isolated,
            "Removed" => Removed,
            "MergedWithPrevious" => MergedWithPrevious,
            "MergedWithNext" => MergedWithNext,
            _ => throw behavior.Wrong("Isolated, Removed, MergedWithPrevious or MergedWithNext"),
        };
        _steps.Add(piece => cut(piece, invert ? Between(piece.Text, pattern.Matches(piece.Text)) : pattern.Matches(piece.Text)));
    }

    private static IEnumerable<(int Start, int Length)> Between(string text, IEnumerable<(int Start, int Length)> matches)
    {
        int done = 0;
        foreach ((int start, int length) in matches)
        {
            if (start > done)
            {
                yield return (done, start - done);
            }

            done = start + length;
        }

        if (done < text.Length)
        {
            yield return (done, text.Length - done);
        }
    }

    private static IEnumerable<Piece> Isolated(Piece piece, IEnumerable<(int Start, int Length)> matches)
    {
        int done = 0;
        foreach ((int start, int length) in matches)
        {
            if (start > done)
            {
                yield return Part(piece, done, start);
            }

            yield return Part(piece, start, start + length);
            done = start + length;
        }

        if (done < piece.Text.Length)
        {
            yield return Part(piece, done, piece.Text.Length);
        }
    }

    private static IEnumerable<Piece> Removed(Piece piece, IEnumerable<(int Start, int Length)> matches)
    {
        foreach ((int start, int length) in Between(piece.Text, matches))
        {
            yield return Part(piece, start, start + length);
        }
    }

    private static IEnumerable<Piece> MergedWithPrevious(Piece piece, IEnumerable<(int Start, int Length)> matches)
    {
        int done = 0;
        foreach ((int start, int length) in matches)
        {
            yield return Part(piece, done, start + length);
            done = start + length;
        }

        if (done < piece.Text.Length)
        {
            yield return Part(piece, done, piece.Text.Length);
        }
    }

    private static IEnumerable<Piece> MergedWithNext(Piece piece, IEnumerable<(int Start, int Length)> matches)
    {
        int done = 0;
        foreach ((int start, _) in matches)
        {
            if (start > done)
            {
                yield return Part(piece, done, start);
            }

            done = start;
        }

        if (done < piece.Text.Length)
        {
            yield return Part(piece, done, piece.Text.Length);
        }
    }

    private static Piece Part(Piece piece, int start, int end) =>
        start == 0 && end == piece.Text.Length ? piece : new Piece(piece.Text[start..end], piece.First && start == 0);
}
