// SPDX-License-Identifier: MIT
// The parts of a template, each of which can be rendered.
namespace CatsOnnx.Jinja;

/// <summary>What rendering a part led to.</summary>
internal enum Flow
{
    On,
    Break,
    Continue,
}

internal abstract record Statement(int Line)
{
    public Flow Render(Scope scope)
    {
        scope.Rendering.Step(Line);
        return RenderHere(scope);
    }

    protected abstract Flow RenderHere(Scope scope);
}

internal sealed record Body(List<Statement> Statements)
{
    public Flow Render(Scope scope)
    {
        foreach (Statement statement in Statements)
        {
            if (statement.Render(scope) is Flow flow and not Flow.On)
            {
                return flow;
            }
        }

        return Flow.On;
    }
}

internal sealed record Text(string Value, int Line) : Statement(Line)
{
    protected override Flow RenderHere(Scope scope)
    {
        scope.Rendering.Write(Value);
        return Flow.On;
    }
}

internal sealed record Print(Expression Value, int Line) : Statement(Line)
{
    protected override Flow RenderHere(Scope scope)
    {
        scope.Rendering.Write(PythonText.Of(Value.Evaluate(scope)));
        return Flow.On;
    }
}

internal sealed record If(List<(Expression Condition, Body Body)> Branches, Body? Otherwise, int Line) : Statement(Line)
{
    protected override Flow RenderHere(Scope scope)
    {
        foreach ((Expression condition, Body body) in Branches)
        {
            if (Operators.Truth(condition.Evaluate(scope)))
            {
                return body.Render(scope);
            }
        }

        return Otherwise?.Render(scope) ?? Flow.On;
    }
}

/// <summary>Where a value goes: one name, several, or a field of a namespace.</summary>
/// <param name="Names">One name; more unpack a list.</param>
/// <param name="Field">The field of the namespace <paramref name="Names"/>[0], or null.</param>
internal sealed record Target(List<string> Names, string? Field)
{
    public void Set(Scope scope, object? value)
    {
        if (Field is not null)
        {
            Namespace space = scope.Get(Names[0]) as Namespace ?? throw TemplateError.Wrong($"'{Names[0]}' is no namespace: its field '{Field}' cannot be set");
            space.Fields[Field] = value;
        }
        else if (Names.Count == 1)
        {
            scope.Set(Names[0], value);
        }
        else
        {
            List<object?> parts = Operators.Elements(value);
            if (parts.Count != Names.Count)
            {
                throw TemplateError.Wrong($"{parts.Count} values do not go into {Names.Count} names");
            }

            for (int i = 0; i < parts.Count; i++)
            {
                scope.Set(Names[i], parts[i]);
            }
        }
    }
}

internal sealed record Set(Target Target, Expression Value, int Line) : Statement(Line)
{
    protected override Flow RenderHere(Scope scope)
    {
        Target.Set(scope, Value.Evaluate(scope));
        return Flow.On;
    }
}

/// <summary>{% set name %}text{% endset %}.</summary>
internal sealed record SetBlock(Target Target, Body Body, int Line) : Statement(Line)
{
    protected override Flow RenderHere(Scope scope)
    {
        Target.Set(scope, scope.Rendering.Capture(() => Body.Render(scope.Inner())));
        return Flow.On;
    }
}

internal sealed record For(Target Target, Expression Items, Expression? Condition, Body Body, Body? Otherwise, int Line) : Statement(Line)
{
    protected override Flow RenderHere(Scope scope)
    {
        List<object?> items = Operators.Elements(Items.Evaluate(scope));
        if (Condition is not null)
        {
            items = items.FindAll(item =>
            {
                Scope test = scope.Inner();
                Target.Set(test, item);
                return Operators.Truth(Condition.Evaluate(test));
            });
        }

        if (items.Count == 0)
        {
            return Otherwise?.Render(scope.Inner()) ?? Flow.On;
        }

        for (int i = 0; i < items.Count; i++)
        {
            Scope inner = scope.Inner();
            inner.Set("loop", Loop(items, i));
            Target.Set(inner, items[i]);
            if (Body.Render(inner) == Flow.Break)
            {
                break;
            }
        }

        return Flow.On;
    }

    private static Map Loop(List<object?> items, int index)
    {
        Map loop = new()
        {
            ["index"] = index + 1L,
            ["index0"] = (long)index,
            ["revindex"] = (long)(items.Count - index),
            ["revindex0"] = (long)(items.Count - index - 1),
            ["first"] = index == 0,
            ["last"] = index == items.Count - 1,
            ["length"] = (long)items.Count,
            ["cycle"] = (Callable)(arguments => arguments.Positional[index % arguments.Positional.Count]),
        };
        if (index > 0)
        {
            loop["previtem"] = items[index - 1];
        }

        if (index < items.Count - 1)
        {
            loop["nextitem"] = items[index + 1];
        }

        return loop;
    }
}

internal sealed record Jump(Flow Flow, int Line) : Statement(Line)
{
    protected override Flow RenderHere(Scope scope) => Flow;
}

/// <summary>{% macro name(parameters) %}: a function that gives what its body writes.</summary>
internal sealed record Macro(string Name, List<(string Name, Expression? Default)> Parameters, Body Body, int Line) : Statement(Line)
{
    protected override Flow RenderHere(Scope scope)
    {
        string[] names = [.. Parameters.Select(parameter => parameter.Name)];
        scope.Set(Name, (Callable)(arguments =>
        {
            Arguments.Bound bound = arguments.Bind(names);
            Scope inner = scope.Inner();
            for (int i = 0; i < names.Length; i++)
            {
                inner.Set(names[i], bound.Has(i) ? bound[i]
                    : Parameters[i].Default is Expression value ? value.Evaluate(inner)
                    : new Undefined($"'{names[i]}'"));
            }

            return scope.Rendering.Capture(() => Body.Render(inner));
        }));
        return Flow.On;
    }
}
