// SPDX-License-Identifier: MIT
// The smallest parts of a template.
namespace CatsOnnx.Jinja;

internal enum TokenKind
{
    /// <summary>Text that is written as it is.</summary>
    Text,

    /// <summary>{{ or {% and their ends.</summary>
    PrintBegin,
    PrintEnd,
    BlockBegin,
    BlockEnd,

    Name,
    String,
    Integer,
    Float,

    /// <summary>+, ==, (, | and the like.</summary>
    Symbol,
    End,
}

/// <summary>A part of a template; <paramref name="Text"/> is a string's value, everything else's own letters.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool Is(string symbol) => Kind == TokenKind.Symbol && Text == symbol;

    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public override string ToString() => Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.BlockEnd or TokenKind.PrintEnd => "the end of the tag",
        _ => $"'{Text}'",
    };
}
