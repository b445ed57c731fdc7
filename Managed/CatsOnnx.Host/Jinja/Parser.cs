// SPDX-License-Identifier: MIT
// The statements of a template; what is not known is refused here, before anything is rendered.
namespace CatsOnnx.Jinja;

/// <summary>Reads a template's statements.</summary>
internal sealed class Parser(List<Token> tokens) : ExpressionParser(tokens)
{
    private const int MaxNesting = 100;
    private int _nesting;

    /// <summary>Everything to the end of the template.</summary>
    public Body ReadTemplate()
    {
        Body body = ReadBody(out _);
        return Current.Kind == TokenKind.End ? body : throw TemplateError.Wrong($"'{Take().Text}' ends nothing");
    }

    /// <summary>Statements up to a tag that begins with one of <paramref name="ends"/>, whose name is taken.</summary>
    private Body ReadBody(out string end, params ReadOnlySpan<string> ends)
    {
        if (++_nesting > MaxNesting)
        {
            throw TemplateError.Wrong($"blocks are nested more than {MaxNesting} deep");
        }

        List<Statement> statements = [];
        end = "";
        while (Current.Kind != TokenKind.End)
        {
            Token token = Take();
            switch (token.Kind)
            {
                case TokenKind.Text:
                    statements.Add(new Text(token.Text, token.Line));
                    break;
                case TokenKind.PrintBegin:
                    statements.Add(new Print(ReadTuple(), token.Line));
                    Close(TokenKind.PrintEnd);
                    break;
                default:
                    string name = ExpectName();
                    if (ends.Contains(name))
                    {
                        end = name;
                        _nesting--;
                        return new Body(statements);
                    }

                    ReadStatement(name, token.Line, statements);
                    break;
            }
        }

        if (ends.Length > 0)
        {
            throw TemplateError.Wrong($"'{ends[^1]}' is missing");
        }

        return new Body(statements);
    }

    private void ReadStatement(string name, int line, List<Statement> statements)
    {
        switch (name)
        {
            case "if":
                statements.Add(ReadIf(line));
                break;
            case "for":
                statements.Add(ReadFor(line));
                break;
            case "set":
                statements.Add(ReadSet(line));
                break;
            case "macro":
                statements.Add(ReadMacro(line));
                break;
            case "break":
            case "continue":
                Close(TokenKind.BlockEnd);
                statements.Add(new Jump(name == "break" ? Flow.Break : Flow.Continue, line));
                break;
            case "generation": // Hugging Face's mark of what the assistant says; it writes nothing
                Close(TokenKind.BlockEnd);
                statements.AddRange(ReadBody(out _, "endgeneration").Statements);
                Close(TokenKind.BlockEnd);
                break;
            default:
                throw name.StartsWith("end", StringComparison.Ordinal) || name is "else" or "elif"
                    ? TemplateError.Wrong($"'{name}' ends nothing")
                    : TemplateError.Unsupported($"statement '{name}'");
        }
    }

    private If ReadIf(int line)
    {
        List<(Expression, Body)> branches = [];
        Body? otherwise = null;
        string end = "elif";
        while (end == "elif")
        {
            Expression condition = ReadTuple();
            Close(TokenKind.BlockEnd);
            branches.Add((condition, ReadBody(out end, "elif", "else", "endif")));
        }

        if (end == "else")
        {
            Close(TokenKind.BlockEnd);
            otherwise = ReadBody(out _, "endif");
        }

        Close(TokenKind.BlockEnd);
        return new If(branches, otherwise, line);
    }

    private For ReadFor(int line)
    {
        Target target = ReadTarget();
        if (!TakeName("in"))
        {
            throw Unexpected("'in'");
        }

        Expression items = ReadTuple(withCondition: false);
        Expression? condition = TakeName("if") ? Read() : null;
        if (Current.IsName("recursive"))
        {
            throw TemplateError.Unsupported("'for ... recursive'");
        }

        Close(TokenKind.BlockEnd);
        Body body = ReadBody(out string end, "else", "endfor");
        Body? otherwise = null;
        if (end == "else")
        {
            Close(TokenKind.BlockEnd);
            otherwise = ReadBody(out _, "endfor");
        }

        Close(TokenKind.BlockEnd);
        return new For(target, items, condition, body, otherwise, line);
    }

    private Statement ReadSet(int line)
    {
        Target target = ReadTarget();
        if (TakeSymbol("="))
        {
            Set set = new(target, ReadTuple(), line);
            Close(TokenKind.BlockEnd);
            return set;
        }

        if (Current.Is("|"))
        {
            throw TemplateError.Unsupported("a filter of a 'set' block");
        }

        Close(TokenKind.BlockEnd);
        Body body = ReadBody(out _, "endset");
        Close(TokenKind.BlockEnd);
        return new SetBlock(target, body, line);
    }

    private Macro ReadMacro(int line)
    {
        string name = ExpectName();
        List<(string, Expression?)> parameters = [];
        Expect("(");
        while (!TakeSymbol(")"))
        {
            string parameter = ExpectName();
            parameters.Add((parameter, TakeSymbol("=") ? Read() : null));
            if (!Current.Is(")"))
            {
                Expect(",");
            }
        }

        Close(TokenKind.BlockEnd);
        Body body = ReadBody(out _, "endmacro");
        Close(TokenKind.BlockEnd);
        return new Macro(name, parameters, body, line);
    }

    private Target ReadTarget()
    {
        bool parentheses = TakeSymbol("(");
        List<string> names = [ExpectName()];
        if (TakeSymbol("."))
        {
            return new Target(names, ExpectName());
        }

        while (TakeSymbol(","))
        {
            names.Add(ExpectName());
        }

        if (parentheses)
        {
            Expect(")");
        }

        return new Target(names, null);
    }

    private void Close(TokenKind end)
    {
        if (Current.Kind != end)
        {
            throw Unexpected("the end of the tag");
        }

        Take();
    }
}
