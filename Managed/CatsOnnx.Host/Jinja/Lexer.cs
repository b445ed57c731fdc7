// SPDX-License-Identifier: MIT
// A template's text to tokens, with Jinja's rules of white space as Hugging Face sets them: trim_blocks and lstrip_blocks.
using System.Globalization;
using System.Text;

namespace CatsOnnx.Jinja;

/// <summary>Cuts a template into tokens.</summary>
internal sealed class Lexer
{
    // Longer ones first.
    private static readonly string[] s_symbols =
    [
        "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|",
    ];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _position;
    private int _line = 1;
    private bool _lineStarts = true; // nothing but white space can stand before _position on its line

    private Lexer(string source) => _source = source;

    public static List<Token> Cut(string template, out int line)
    {
        // Jinja's own preparation: one kind of line end, and the last one dropped.
        string source = template.ReplaceLineEndings("\n");
        Lexer lexer = new(source.EndsWith('\n') ? source[..^1] : source);
        try
        {
            lexer.Run();
        }
        finally
        {
            line = lexer._line;
        }

        return lexer._tokens;
    }

    private void Run()
    {
        while (_position < _source.Length)
        {
            int tag = NextTag();
            if (tag < 0)
            {
                Add(TokenKind.Text, _source[_position..]);
                _position = _source.Length;
                break;
            }

            string text = _source[_position..tag];
            char kind = _source[tag + 1];
            char sign = tag + 2 < _source.Length ? _source[tag + 2] : ' ';
            string kept = sign == '-' ? text.TrimEnd() : sign != '+' && kind != '{' ? WithoutIndent(text) : text;
            if (kept.Length > 0)
            {
                Add(TokenKind.Text, kept);
            }

            CountLines(text);
            _position = tag + 2 + (sign is '-' or '+' ? 1 : 0);
            if (kind == '#')
            {
                SkipComment();
            }
            else
            {
                Tag(kind == '{' ? "}}" : "%}", kind == '{' ? TokenKind.PrintBegin : TokenKind.BlockBegin, kind == '{' ? TokenKind.PrintEnd : TokenKind.BlockEnd);
            }
        }

        Add(TokenKind.End, "");
    }

    private int NextTag()
    {
        for (int at = _source.IndexOf('{', _position); at >= 0 && at + 1 < _source.Length; at = _source.IndexOf('{', at + 1))
        {
            if (_source[at + 1] is '{' or '%' or '#')
            {
                return at;
            }
        }

        return -1;
    }

    // lstrip_blocks: spaces before a block that stands first on its line are not written.
    private string WithoutIndent(string text)
    {
        int start = text.LastIndexOf('\n') + 1;
        return (start > 0 || _lineStarts) && string.IsNullOrWhiteSpace(text[start..]) ? text[..start] : text;
    }

    private void SkipComment()
    {
        int end = _source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (end < 0)
        {
            throw TemplateError.Wrong("a comment does not end");
        }

        CountLines(_source[_position..end]);
        bool trim = _source[end - 1] == '-' && end > _position;
        _position = end + 2;
        AfterTag(trim, keep: _source[end - 1] == '+' && end > _position, block: true);
    }

    private void Tag(string close, TokenKind begin, TokenKind end)
    {
        Add(begin, "");
        int depth = 0; // of braces: }} may end two mappings
        while (true)
        {
            SkipSpaces();
            if (_position >= _source.Length)
            {
                throw TemplateError.Wrong("a tag does not end");
            }

            char character = _source[_position];
            bool signed = character is '-' or '+' && At(_position + 1, close);
            if (depth == 0 && (signed || At(_position, close)))
            {
                Add(end, "");
                _position += close.Length + (signed ? 1 : 0);
                AfterTag(trim: signed && character == '-', keep: signed && character == '+', block: end == TokenKind.BlockEnd);
                return;
            }

            if (character is '\'' or '"')
            {
                String(character);
            }
            else if (char.IsAsciiDigit(character))
            {
                Number();
            }
            else if (char.IsLetter(character) || character == '_')
            {
                int start = _position;
                while (_position < _source.Length && (char.IsLetterOrDigit(_source[_position]) || _source[_position] == '_'))
                {
                    _position++;
                }

                Add(TokenKind.Name, _source[start.._position]);
            }
            else
            {
                string symbol = s_symbols.FirstOrDefault(symbol => At(_position, symbol)) ?? throw TemplateError.Wrong($"'{character}' cannot stand in a tag");
                depth += symbol == "{" ? 1 : symbol == "}" ? -1 : 0;
                Add(TokenKind.Symbol, symbol);
                _position += symbol.Length;
            }
        }
    }

    // trim_blocks: the line end right after a block or a comment is not written.
    private void AfterTag(bool trim, bool keep, bool block)
    {
        int start = _position;
        if (trim)
        {
            while (_position < _source.Length && char.IsWhiteSpace(_source[_position]))
            {
                _position++;
            }
        }
        else if (block && !keep && _position < _source.Length && _source[_position] == '\n')
        {
            _position++;
        }

        CountLines(_source[start.._position]);
        _lineStarts = _position > start && _source[_position - 1] == '\n';
    }

    private void SkipSpaces()
    {
        int start = _position;
        while (_position < _source.Length && char.IsWhiteSpace(_source[_position]))
        {
            _position++;
        }

        CountLines(_source[start.._position]);
    }

    private void String(char quote)
    {
        StringBuilder value = new();
        for (int i = _position + 1; i < _source.Length; i++)
        {
            char character = _source[i];
            if (character == quote)
            {
                Add(TokenKind.String, value.ToString());
                CountLines(_source[_position..i]);
                _position = i + 1;
                return;
            }

            if (character == '\\' && i + 1 < _source.Length)
            {
                i += Escape(i + 1, value);
            }
            else
            {
                value.Append(character);
            }
        }

        throw TemplateError.Wrong("a string does not end");
    }

    /// <summary>Appends what an escape stands for.</summary>
    /// <returns>Its characters after the backslash.</returns>
    private int Escape(int at, StringBuilder value)
    {
        int digits = _source[at] switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0)
        {
            if (at + digits >= _source.Length
                || !int.TryParse(_source.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code)
                || code > 0x10FFFF)
            {
                throw TemplateError.Wrong($"'\\{_source[at]}' in a string needs {digits} hexadecimal digits");
            }

            value.Append(code is >= 0xD800 and <= 0xDFFF ? ((char)code).ToString() : char.ConvertFromUtf32(code));
            return digits + 1;
        }

        value.Append(_source[at] switch
        {
            'n' => "\n",
            't' => "\t",
            'r' => "\r",
            '0' => "\0",
            'a' => "\a",
            'b' => "\b",
            'f' => "\f",
            'v' => "\v",
            '\n' => "",
            '\\' or '\'' or '"' => _source[at].ToString(),
            char other => $"\\{other}", // as Python keeps escapes that it does not know
        });
        return 1;
    }

    // 12, 1_000, 1.5, 1e5, 2.5e-3.
    private void Number()
    {
        int start = _position;
        Digits();
        bool whole = true;
        if (_position + 1 < _source.Length && _source[_position] == '.' && char.IsAsciiDigit(_source[_position + 1]))
        {
            whole = false;
            _position++;
            Digits();
        }

        int exponent = _position < _source.Length && (_source[_position] is 'e' or 'E') ? _position + 1 : -1;
        exponent += exponent > 0 && exponent < _source.Length && (_source[exponent] is '+' or '-') ? 1 : 0;
        if (exponent > 0 && exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
        {
            whole = false;
            _position = exponent;
            Digits();
        }

        Add(whole ? TokenKind.Integer : TokenKind.Float, _source[start.._position].Replace("_", "", StringComparison.Ordinal));
    }

    private void Digits()
    {
        while (_position < _source.Length && (char.IsAsciiDigit(_source[_position]) || _source[_position] == '_'))
        {
            _position++;
        }
    }

    private bool At(int position, string text) => string.CompareOrdinal(_source, position, text, 0, text.Length) == 0;

    private void CountLines(string text) => _line += text.Count(character => character == '\n');

    private void Add(TokenKind kind, string text) => _tokens.Add(new Token(kind, text, _line));
}
