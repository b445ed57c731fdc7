// SPDX-License-Identifier: MIT
// The parts of an expression, each of which can be evaluated.
namespace CatsOnnx.Jinja;

internal abstract record Expression
{
    public abstract object? Evaluate(Scope scope);
}

internal sealed record Literal(object? Value) : Expression
{
    public override object? Evaluate(Scope scope) => Value;
}

internal sealed record Name(string Text) : Expression
{
    public override object? Evaluate(Scope scope) => scope.Get(Text);
}

internal sealed record ListLiteral(List<Expression> Items) : Expression
{
    public override object? Evaluate(Scope scope) => Items.ConvertAll(item => item.Evaluate(scope));
}

internal sealed record MapLiteral(List<(Expression Key, Expression Value)> Fields) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        Map map = [];
        foreach ((Expression key, Expression value) in Fields)
        {
            map[key.Evaluate(scope) as string ?? throw TemplateError.Unsupported("a mapping's key that is not text")] = value.Evaluate(scope);
        }

        return map;
    }
}

/// <summary>value.name: a method, else a field.</summary>
internal sealed record Field(Expression Value, string Key) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        object? value = Value.Evaluate(scope);
        return value switch
        {
            Undefined undefined => throw undefined.Error(),
            Namespace space => space.Fields.TryGetValue(Key, out object? field) ? field : new Undefined($"'{Key}' of the namespace"),
            _ => Methods.Find(value, Key) ?? Operators.Item(value, Key),
        };
    }
}

/// <summary>value[key]: a field or an element, else a method.</summary>
internal sealed record Index(Expression Value, Expression Key) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        object? value = Value.Evaluate(scope);
        object? key = Key.Evaluate(scope);
        object? item = Operators.Item(value, key);
        return item is Undefined && key is string name && Methods.Find(value, name) is Callable method ? method : item;
    }
}

internal sealed record Slice(Expression Value, Expression? From, Expression? To, Expression? Step) : Expression
{
    public override object? Evaluate(Scope scope) => Operators.Slice(Value.Evaluate(scope), Bound(From, scope), Bound(To, scope), Bound(Step, scope) ?? 1);

    private static long? Bound(Expression? bound, Scope scope) => bound?.Evaluate(scope) switch
    {
        null => null,
        long number => number,
        object other => throw TemplateError.Wrong($"the border of a slice must be a whole number, not {Operators.Kind(other)}"),
    };
}

internal sealed record Call(Expression Function, List<Expression> Positional, List<(string Name, Expression Value)> Named) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        object? function = Function.Evaluate(scope);
        string name = Function is Field field ? field.Key : Function is Name plain ? plain.Text : "the function";
        return function switch
        {
            Callable callable => callable(Evaluate(name, Positional, Named, scope)),
            Undefined when Function is Field => throw TemplateError.Unsupported($"method '{name}'"),
            Undefined => throw TemplateError.Unsupported($"function '{name}'"),
            _ => throw TemplateError.Wrong($"'{name}' is {Operators.Kind(function)} and cannot be called"),
        };
    }

    public static Arguments Evaluate(string function, List<Expression> positional, List<(string Name, Expression Value)> named, Scope scope) =>
        new(function, positional.ConvertAll(value => value.Evaluate(scope)), named.ConvertAll(pair => (pair.Name, pair.Value.Evaluate(scope))));
}

/// <summary>value | filter(arguments).</summary>
internal sealed record Filtered(Expression Value, string Filter, List<Expression> Positional, List<(string Name, Expression Value)> Named) : Expression
{
    public override object? Evaluate(Scope scope) => Filters.Apply(Filter, Value.Evaluate(scope), Call.Evaluate($"filter '{Filter}'", Positional, Named, scope));
}

/// <summary>value is [not] test(arguments).</summary>
internal sealed record Tested(Expression Value, string Test, List<Expression> Arguments) : Expression
{
    public override object? Evaluate(Scope scope) => Tests.Apply(Test, Value.Evaluate(scope), Arguments.ConvertAll(argument => argument.Evaluate(scope)));
}

internal sealed record Not(Expression Value) : Expression
{
    public override object? Evaluate(Scope scope) => !Operators.Truth(Value.Evaluate(scope));
}

internal sealed record Negative(Expression Value) : Expression
{
    public override object? Evaluate(Scope scope) => Operators.Negative(Value.Evaluate(scope));
}

internal sealed record And(Expression Left, Expression Right) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        object? left = Left.Evaluate(scope);
        return Operators.Truth(left) ? Right.Evaluate(scope) : left;
    }
}

internal sealed record Or(Expression Left, Expression Right) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        object? left = Left.Evaluate(scope);
        return Operators.Truth(left) ? left : Right.Evaluate(scope);
    }
}

internal sealed record Binary(string Symbol, Expression Left, Expression Right) : Expression
{
    public override object? Evaluate(Scope scope) => Operators.Binary(Symbol, Left.Evaluate(scope), Right.Evaluate(scope));
}

/// <summary>a &lt; b == c ...: every pair must hold.</summary>
internal sealed record Comparison(Expression First, List<(string Symbol, Expression Value)> Rest) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        object? left = First.Evaluate(scope);
        foreach ((string symbol, Expression value) in Rest)
        {
            object? right = value.Evaluate(scope);
            bool holds = symbol switch
            {
                "==" => Operators.Same(left, right),
                "!=" => !Operators.Same(left, right),
                "in" => Operators.Contains(right, left),
                "not in" => !Operators.Contains(right, left),
                "<" => Operators.Order(left, right) < 0,
                "<=" => Operators.Order(left, right) <= 0,
                ">" => Operators.Order(left, right) > 0,
                _ => Operators.Order(left, right) >= 0,
            };
            if (!holds)
            {
                return false;
            }

            left = right;
        }

        return true;
    }
}

/// <summary>value if condition else otherwise.</summary>
internal sealed record Conditional(Expression Condition, Expression Value, Expression? Otherwise) : Expression
{
    public override object? Evaluate(Scope scope) => Operators.Truth(Condition.Evaluate(scope)) ? Value.Evaluate(scope)
        : Otherwise is null ? new Undefined("the value of an 'if' without 'else'") : Otherwise.Evaluate(scope);
}
