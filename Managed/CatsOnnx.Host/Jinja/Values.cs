// SPDX-License-Identifier: MIT
// The values of a template: null (none), bool, long, double, string, List (lists and tuples), Map, and the kinds below.
namespace CatsOnnx.Jinja;

/// <summary>A mapping with text keys, in the order in which they came.</summary>
internal sealed class Map : OrderedDictionary<string, object?>;

/// <summary>What a name or a field that does not exist gives: false, empty, and an error where more is asked of it.</summary>
internal sealed class Undefined(string what)
{
    public TemplateError Error() => TemplateError.Wrong($"{what} is undefined");
}

/// <summary>namespace(): fields that inner blocks can set.</summary>
internal sealed class Namespace
{
    public Dictionary<string, object?> Fields { get; } = [];
}

/// <summary>A method of a value, a macro or a global function.</summary>
internal delegate object? Callable(Arguments arguments);

/// <summary>Arguments of a call, bound to names.</summary>
internal sealed class Arguments(string function, List<object?> positional, List<(string Name, object? Value)> named)
{
    public string Function => function;

    public IReadOnlyList<object?> Positional => positional;

    public IReadOnlyList<(string Name, object? Value)> Named => named;

    /// <summary>The arguments in the order of the parameters; null reference where one is not given.</summary>
    /// <exception cref="TemplateError">There are more, or some of other names.</exception>
    public Bound Bind(params ReadOnlySpan<string> parameters)
    {
        if (positional.Count > parameters.Length)
        {
            throw TemplateError.Wrong($"{function} takes at most {parameters.Length} arguments, not {positional.Count}");
        }

        (bool Given, object? Value)[] values = new (bool, object?)[parameters.Length];
        for (int i = 0; i < positional.Count; i++)
        {
            values[i] = (true, positional[i]);
        }

        foreach ((string name, object? value) in named)
        {
            int at = parameters.IndexOf(name);
            if (at < 0 || values[at].Given)
            {
                throw at < 0 ? TemplateError.Unsupported($"argument '{name}' of {function}") : TemplateError.Wrong($"{function} gets '{name}' twice");
            }

            values[at] = (true, value);
        }

        return new Bound(function, parameters.ToArray(), values);
    }

    /// <summary>Arguments by the place of their parameter.</summary>
    internal readonly struct Bound(string function, string[] parameters, (bool Given, object? Value)[] values)
    {
        public bool Has(int index) => values[index].Given;

        public object? Optional(int index, object? otherwise = null) => values[index].Given ? values[index].Value : otherwise;

        public object? this[int index] => values[index].Given ? values[index].Value : throw TemplateError.Wrong($"{function} needs '{parameters[index]}'");

        public string Text(int index) => this[index] as string ?? throw Kind(index, "text");

        public long Integer(int index) => this[index] is long number ? number : throw Kind(index, "a whole number");

        private TemplateError Kind(int index, string kind) => TemplateError.Wrong($"'{parameters[index]}' of {function} must be {kind}, not {Operators.Kind(values[index].Value)}");
    }
}
