// SPDX-License-Identifier: MIT
// A place in the tokens of a template, and the steps that parsers take from there.
namespace CatsOnnx.Jinja;

/// <summary>Goes through tokens.</summary>
internal class TokenReader(List<Token> tokens)
{
    private int _position;

    public Token Current => tokens[_position];

    /// <summary>The token after the current one.</summary>
    protected Token Next => tokens[Math.Min(_position + 1, tokens.Count - 1)];

    public Token Take()
    {
        Token token = tokens[_position];
        if (token.Kind != TokenKind.End)
        {
            _position++;
        }

        return token;
    }

    public bool TakeSymbol(string symbol) => Current.Is(symbol) && Take() is var _;

    public bool TakeName(string name) => Current.IsName(name) && Take() is var _;

    public void Expect(string symbol)
    {
        if (!TakeSymbol(symbol))
        {
            throw Unexpected($"'{symbol}'");
        }
    }

    public string ExpectName() => Current.Kind == TokenKind.Name ? Take().Text : throw Unexpected("a name");

    public TemplateError Unexpected(string wanted) => TemplateError.Wrong($"{wanted} was expected, but {Current} came");
}
