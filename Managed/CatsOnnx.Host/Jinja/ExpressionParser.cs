// SPDX-License-Identifier: MIT
// Expressions, by Jinja's own order of precedence: if-else, or, and, not, comparisons, + -, ~, * / // %, **, unary.
namespace CatsOnnx.Jinja;

/// <summary>Reads expressions from tokens.</summary>
internal class ExpressionParser(List<Token> tokens) : OperandParser(tokens)
{
    private const int MaxDepth = 100;

    private int _depth;

    public override Expression Read(bool withCondition = true)
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
            else if (Current.IsName("not") && Next.IsName("in"))
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
}
