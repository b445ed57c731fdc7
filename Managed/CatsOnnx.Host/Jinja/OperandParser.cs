// SPDX-License-Identifier: MIT
// What operators stand between: names, literals, and what may follow them: fields, elements, calls, filters, tests.
using System.Globalization;

namespace CatsOnnx.Jinja;

/// <summary>Reads operands from tokens.</summary>
internal abstract class OperandParser(List<Token> tokens) : TokenReader(tokens)
{
    /// <summary>The names that expressions ask for, parameters and loop variables among them.</summary>
    public HashSet<string> Names { get; } = [];

    /// <summary>An expression.</summary>
    /// <param name="withCondition">Whether an 'if' after it belongs to it.</param>
    public abstract Expression Read(bool withCondition = true);

    /// <summary>An expression, or several with commas between them as a list.</summary>
    public Expression ReadTuple(bool withCondition = true)
    {
        Expression first = Read(withCondition);
        if (!Current.Is(","))
        {
            return first;
        }

        List<Expression> items = [first];
        while (TakeSymbol(",") && Current.Kind is not (TokenKind.BlockEnd or TokenKind.PrintEnd) && !Current.Is(")"))
        {
            items.Add(Read(withCondition));
        }

        return new ListLiteral(items);
    }

    /// <summary>(value, name=value, ...).</summary>
    public (List<Expression> Positional, List<(string Name, Expression Value)> Named) ReadArguments()
    {
        List<Expression> positional = [];
        List<(string, Expression)> named = [];
        Expect("(");
        while (!TakeSymbol(")"))
        {
            if (Current.Is("*") || Current.Is("**"))
            {
                throw TemplateError.Unsupported("unpacking of arguments");
            }

            if (Current.Kind == TokenKind.Name && Next.Is("="))
            {
                string name = Take().Text;
                Take();
                named.Add((name, Read()));
            }
            else
            {
                positional.Add(named.Count == 0 ? Read() : throw TemplateError.Wrong("an argument without a name stands after one with a name"));
            }

            if (!Current.Is(")"))
            {
                Expect(",");
            }
        }

        return (positional, named);
    }

    protected Expression ReadPrimary()
    {
        Token token = Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Literal(true),
                    "false" or "False" => new Literal(false),
                    "none" or "None" => new Literal(null),
                    _ => Named(token.Text),
                };
            case TokenKind.String:
                string text = token.Text;
                while (Current.Kind == TokenKind.String)
                {
                    text += Take().Text;
                }

                return new Literal(text);
            case TokenKind.Integer:
                return new Literal(long.TryParse(token.Text, CultureInfo.InvariantCulture, out long whole) ? whole : throw TemplateError.Unsupported($"the number {token.Text}"));
            case TokenKind.Float:
                return new Literal(double.Parse(token.Text, CultureInfo.InvariantCulture));
            case TokenKind.Symbol when token.Text == "(":
                if (TakeSymbol(")"))
                {
                    return new ListLiteral([]);
                }

                Expression inner = ReadTuple();
                Expect(")");
                return inner;
            case TokenKind.Symbol when token.Text == "[":
                return new ListLiteral(ReadItems("]", () => Read()));
            case TokenKind.Symbol when token.Text == "{":
                return new MapLiteral(ReadItems("}", () =>
                {
                    Expression key = Read();
                    Expect(":");
                    return (key, Read());
                }));
            default:
                throw TemplateError.Wrong($"a value was expected, but {token} came");
        }
    }

    private Name Named(string name)
    {
        Names.Add(name);
        return new Name(name);
    }

    private List<T> ReadItems<T>(string close, Func<T> read)
    {
        List<T> items = [];
        while (!TakeSymbol(close))
        {
            items.Add(read());
            if (!Current.Is(close))
            {
                Expect(",");
            }
        }

        return items;
    }

    protected Expression ReadPostfix(Expression value)
    {
        while (true)
        {
            if (TakeSymbol("."))
            {
                value = Current.Kind == TokenKind.Integer
                    ? new Index(value, new Literal(long.Parse(Take().Text, CultureInfo.InvariantCulture)))
                    : new Field(value, ExpectName());
            }
            else if (TakeSymbol("["))
            {
                value = ReadIndex(value);
            }
            else if (Current.Is("("))
            {
                (List<Expression> positional, List<(string, Expression)> named) = ReadArguments();
                value = new Call(value, positional, named);
            }
            else
            {
                return value;
            }
        }
    }

    private Expression ReadIndex(Expression value)
    {
        Expression? from = Current.Is(":") ? null : Read();
        if (TakeSymbol("]"))
        {
            return new Index(value, from!);
        }

        Expect(":");
        Expression? to = Current.Is(":") || Current.Is("]") ? null : Read();
        Expression? step = TakeSymbol(":") && !Current.Is("]") ? Read() : null;
        Expect("]");
        return new Slice(value, from, to, step);
    }

    protected Expression ReadFilters(Expression value)
    {
        while (true)
        {
            if (TakeSymbol("|"))
            {
                value = ReadFilter(value);
            }
            else if (TakeName("is"))
            {
                value = ReadTest(value);
            }
            else if (Current.Is("("))
            {
                (List<Expression> positional, List<(string, Expression)> named) = ReadArguments();
                value = new Call(value, positional, named);
            }
            else
            {
                return value;
            }
        }
    }

    /// <summary>A filter's name and arguments, after the '|'.</summary>
    public Expression ReadFilter(Expression value)
    {
        string filter = ExpectName();
        if (!Filters.Knows(filter))
        {
            throw TemplateError.Unsupported($"filter '{filter}'");
        }

        (List<Expression> positional, List<(string, Expression)> named) = Current.Is("(") ? ReadArguments() : ([], []);
        return new Filtered(value, filter, positional, named);
    }

    private Expression ReadTest(Expression value)
    {
        bool negated = TakeName("not");
        string test = ExpectName();
        if (!Tests.Knows(test))
        {
            throw TemplateError.Unsupported($"test '{test}'");
        }

        // An argument may stand there without parentheses.
        List<Expression> arguments = Current.Is("(") ? ReadArguments().Positional
            : Current.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Float || Current.Is("[") || Current.Is("{")
                || (Current.Kind == TokenKind.Name && Current.Text is not ("else" or "or" or "and" or "is" or "in" or "not" or "if"))
                ? [ReadPostfix(ReadPrimary())]
                : [];
        Expression tested = new Tested(value, test, arguments);
        return negated ? new Not(tested) : tested;
    }
}
