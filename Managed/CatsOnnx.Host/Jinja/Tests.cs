// SPDX-License-Identifier: MIT
// The tests: value is name(arguments). One line each; a name that is not here is refused when the template is read.
namespace CatsOnnx.Jinja;

internal static class Tests
{
    private static readonly Dictionary<string, Func<object?, List<object?>, bool>> s_all = new()
    {
        ["boolean"] = static (value, _) => value is bool,
        ["callable"] = static (value, _) => value is Callable,
        ["defined"] = static (value, _) => value is not Undefined,
        ["divisibleby"] = static (value, arguments) => Operators.Same(Operators.Binary("%", value, One("divisibleby", arguments)), 0L),
        ["eq"] = static (value, arguments) => Operators.Same(value, One("eq", arguments)),
        ["equalto"] = static (value, arguments) => Operators.Same(value, One("equalto", arguments)),
        ["even"] = static (value, _) => value is long number && number % 2 == 0,
        ["false"] = static (value, _) => value is false,
        ["float"] = static (value, _) => value is double,
        ["ge"] = static (value, arguments) => Operators.Order(value, One("ge", arguments)) >= 0,
        ["gt"] = static (value, arguments) => Operators.Order(value, One("gt", arguments)) > 0,
        ["in"] = static (value, arguments) => Operators.Contains(One("in", arguments), value),
        ["integer"] = static (value, _) => value is long,
        ["iterable"] = static (value, _) => value is string or List<object?> or Map or Undefined,
        ["le"] = static (value, arguments) => Operators.Order(value, One("le", arguments)) <= 0,
        ["lower"] = static (value, _) => value is string text && text == text.ToLowerInvariant(),
        ["lt"] = static (value, arguments) => Operators.Order(value, One("lt", arguments)) < 0,
        ["mapping"] = static (value, _) => value is Map,
        ["ne"] = static (value, arguments) => !Operators.Same(value, One("ne", arguments)),
        ["none"] = static (value, _) => value is null,
        ["number"] = static (value, _) => value is long or double or bool,
        ["odd"] = static (value, _) => value is long number && number % 2 != 0,
        ["sameas"] = static (value, arguments) => ReferenceEquals(value, One("sameas", arguments)) || (value is bool && Operators.Same(value, arguments[0])),
        ["sequence"] = static (value, _) => value is string or List<object?> or Map or Undefined,
        ["string"] = static (value, _) => value is string,
        ["true"] = static (value, _) => value is true,
        ["undefined"] = static (value, _) => value is Undefined,
        ["upper"] = static (value, _) => value is string text && text == text.ToUpperInvariant(),
    };

    public static bool Knows(string name) => s_all.ContainsKey(name);

    public static bool Apply(string name, object? value, List<object?> arguments) => s_all[name](value, arguments);

    private static object? One(string test, List<object?> arguments) =>
        arguments.Count == 1 ? arguments[0] : throw TemplateError.Wrong($"test '{test}' needs one argument");
}
