// SPDX-License-Identifier: MIT
// Expressions, by Jinja's own order of precedence: if-else, or, and, not, comparisons, + -, ~, * / // %, **, unary, postfix.
using System.Globalization;

namespace CatsOnnx.Jinja;

/// <summary>Reads expressions from tokens.</summary>
internal class ExpressionParser(List<Token> tokens)
{
    private const int MaxDepth = 100;

    private int _position;
    private int _depth;

    public Token Current => tokens[_position];

    /// <summary>The names that expressions ask for, parameters and loop variables among them.</summary>
    public HashSet<string> Names { get; } = [];

    public Expression Read(bool withCondition = true)
    {
        if (++_depth > MaxDepth)
        {
            throw TemplateError.Wrong($"expressions are nested more than {MaxDepth} deep");
        }

        Expression value = ReadOr();
        while (withCondition && TakeName("if"))
        {
            Expression condition = ReadOr();
            value = new Conditional(condition, value, TakeName("else") ? Read() : null);
        }

        _depth--;
        return value;
    }

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

            if (Current.Kind == TokenKind.Name && tokens[_position + 1].Is("="))
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

    private Expression ReadOr()
    {
        Expression left = ReadAnd();
        while (TakeName("or"))
        {
            left = new Or(left, ReadAnd());
        }

        return left;
    }

    private Expression ReadAnd()
    {
        Expression left = ReadNot();
        while (TakeName("and"))
        {
            left = new And(left, ReadNot());
        }

        return left;
    }

    private Expression ReadNot()
    {
        int nots = 0;
        while (TakeName("not"))
        {
            nots++;
        }

        Expression value = ReadComparison();
        return nots == 0 ? value : nots % 2 == 1 ? new Not(value) : new Not(new Not(value));
    }

    private Expression ReadComparison()
    {
        Expression first = ReadLeft(0);
        List<(string, Expression)> rest = [];
        while (true)
        {
            if (Current is { Kind: TokenKind.Symbol, Text: "==" or "!=" or "<" or "<=" or ">" or ">=" })
            {
                rest.Add((Take().Text, ReadLeft(0)));
            }
            else if (TakeName("in"))
            {
                rest.Add(("in", ReadLeft(0)));
            }
            else if (Current.IsName("not") && tokens[_position + 1].IsName("in"))
            {
                Take();
                Take();
                rest.Add(("not in", ReadLeft(0)));
            }
            else
            {
                return rest.Count == 0 ? first : new Comparison(first, rest);
            }
        }
    }

    // Operators that go from left to right, those that bind the least first.
    private Expression ReadLeft(int level)
    {
        string[][] levels = [["+", "-"], ["~"], ["*", "/", "//", "%"], ["**"]];
        if (level == levels.Length)
        {
            return ReadUnary(withFilters: true);
        }

        Expression left = ReadLeft(level + 1);
        while (Current.Kind == TokenKind.Symbol && levels[level].Contains(Current.Text))
        {
            left = new Binary(Take().Text, left, ReadLeft(level + 1));
        }

        return left;
    }

    private Expression ReadUnary(bool withFilters)
    {
        Expression value;
        if (Current.Is("-") || Current.Is("+"))
        {
            bool negative = Take().Text == "-";
            if (++_depth > MaxDepth)
            {
                throw TemplateError.Wrong($"expressions are nested more than {MaxDepth} deep");
            }

            Expression operand = ReadUnary(withFilters: false);
            _depth--;
            value = negative ? new Negative(operand) : operand;
        }
        else
        {
            value = ReadPostfix(ReadPrimary());
        }

        return withFilters ? ReadFilters(value) : value;
    }

    private Expression ReadPrimary()
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

    private Expression ReadPostfix(Expression value)
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

    private Expression ReadFilters(Expression value)
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
