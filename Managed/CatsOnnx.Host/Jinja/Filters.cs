// SPDX-License-Identifier: MIT
// The filters: value | name(arguments). One line each; a name that is not here is refused when the template is read.
using System.Globalization;
using System.Text;

namespace CatsOnnx.Jinja;

internal static class Filters
{
    private static readonly Dictionary<string, Func<object?, Arguments, object?>> s_all = new()
    {
        ["abs"] = static (value, _) => value is double number ? (object)Math.Abs(number) : Math.Abs(value is long whole ? whole : throw Wrong("abs", value)),
        ["capitalize"] = static (value, _) => Text("capitalize", value) is { Length: > 0 } text ? text[..1].ToUpperInvariant() + text[1..].ToLowerInvariant() : "",
        ["count"] = Length,
        ["d"] = Default,
        ["default"] = Default,
        ["first"] = static (value, _) => Operators.Elements(value) is { Count: > 0 } list ? list[0] : new Undefined("the first element of nothing"),
        ["float"] = static (value, _) => ToFloat(value),
        ["indent"] = Indent,
        ["int"] = static (value, _) => ToInteger(value),
        ["items"] = static (value, _) => value is Undefined ? [] : Methods.Items(value as Map ?? throw Wrong("items", value)),
        ["join"] = Join,
        ["last"] = static (value, _) => Operators.Elements(value) is { Count: > 0 } list ? list[^1] : new Undefined("the last element of nothing"),
        ["length"] = Length,
        ["list"] = static (value, _) => new List<object?>(Operators.Elements(value)),
        ["lower"] = static (value, _) => PythonText.Of(value).ToLowerInvariant(),
        ["map"] = Map,
        ["reject"] = static (value, arguments) => Select(value, arguments, keep: false),
        ["rejectattr"] = static (value, arguments) => SelectField(value, arguments, keep: false),
        ["replace"] = static (value, arguments) => Methods.Replace(PythonText.Of(value), arguments),
        ["reverse"] = static (value, _) => value is string text ? string.Concat(Operators.Characters(text).Reverse()) : Operators.Elements(value).AsEnumerable().Reverse().ToList(),
        ["safe"] = static (value, _) => value, // nothing is escaped here
        ["select"] = static (value, arguments) => Select(value, arguments, keep: true),
        ["selectattr"] = static (value, arguments) => SelectField(value, arguments, keep: true),
        ["sort"] = static (value, arguments) => Sort(value, arguments),
        ["string"] = static (value, _) => PythonText.Of(value),
        ["title"] = static (value, _) => CultureInfo.InvariantCulture.TextInfo.ToTitleCase(PythonText.Of(value).ToLowerInvariant()),
        ["tojson"] = ToJson,
        ["trim"] = static (value, arguments) => Methods.Strip(PythonText.Of(value), arguments, left: true, right: true),
        ["unique"] = static (value, _) => Unique(value),
        ["upper"] = static (value, _) => PythonText.Of(value).ToUpperInvariant(),
    };

    public static bool Knows(string name) => s_all.ContainsKey(name);

    public static object? Apply(string name, object? value, Arguments arguments) => s_all[name](value, arguments);

    private static object? Default(object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("default_value", "boolean");
        bool missing = value is Undefined || (Operators.Truth(bound.Optional(1)) && !Operators.Truth(value));
        return missing ? bound.Optional(0, "") : value;
    }

    private static object Length(object? value, Arguments arguments) => value switch
    {
        string text => (long)Operators.Characters(text).Count(),
        List<object?> list => (long)list.Count,
        CatsOnnx.Jinja.Map map => (long)map.Count,
        Undefined => 0L,
        _ => throw Wrong("length", value),
    };

    private static string Join(object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("d", "attribute");
        IEnumerable<object?> items = Operators.Elements(value);
        if (bound.Optional(1) is string field)
        {
            items = items.Select(item => Path(item, field));
        }

        return Operators.Limited(string.Join(PythonText.Of(bound.Optional(0, "")), items.Select(PythonText.Of)));
    }

    private static string Indent(object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("width", "first", "blank");
        string prefix = bound.Optional(0, 4L) is string given ? given : new string(' ', (int)Math.Clamp(bound.Has(0) ? bound.Integer(0) : 4, 0, 1000));
        bool blank = Operators.Truth(bound.Optional(2, false));
        string[] lines = Text("indent", value).Split('\n');
        StringBuilder text = new();
        for (int i = 0; i < lines.Length; i++)
        {
            text.Append(i > 0 ? "\n" : "");
            text.Append((i == 0 ? Operators.Truth(bound.Optional(1, false)) : lines[i].Length > 0 || blank) ? prefix : "").Append(lines[i]);
        }

        return Operators.Limited(text.ToString());
    }

    // map('filter', arguments) or map(attribute='name', default=value).
    private static List<object?> Map(object? value, Arguments arguments)
    {
        List<object?> items = Operators.Elements(value);
        if (arguments.Positional.Count == 0)
        {
            Arguments.Bound bound = arguments.Bind("attribute", "default");
            string field = bound.Text(0);
            return items.ConvertAll(item => Path(item, field) is var found && found is Undefined && bound.Has(1) ? bound[1] : found);
        }

        string filter = PythonText.Of(arguments.Positional[0]);
        if (!Knows(filter))
        {
            throw TemplateError.Unsupported($"filter '{filter}'");
        }

        Arguments rest = new($"filter '{filter}'", [.. arguments.Positional.Skip(1)], [.. arguments.Named]);
        return items.ConvertAll(item => Apply(filter, item, rest));
    }

    private static List<object?> Select(object? value, Arguments arguments, bool keep) =>
        Operators.Elements(value).FindAll(item => Passes(item, arguments.Positional, 0) == keep);

    private static List<object?> SelectField(object? value, Arguments arguments, bool keep)
    {
        string field = arguments.Positional.Count > 0 && arguments.Positional[0] is string name ? name : throw TemplateError.Wrong("selectattr needs a field's name");
        return Operators.Elements(value).FindAll(item => Passes(Path(item, field), arguments.Positional, 1) == keep);
    }

    private static bool Passes(object? item, IReadOnlyList<object?> arguments, int at)
    {
        if (arguments.Count <= at)
        {
            return Operators.Truth(item);
        }

        string test = PythonText.Of(arguments[at]);
        return Tests.Knows(test) ? Tests.Apply(test, item, [.. arguments.Skip(at + 1)]) : throw TemplateError.Unsupported($"test '{test}'");
    }

    private static List<object?> Sort(object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("reverse", "case_sensitive", "attribute");
        Comparer<object?> order = Comparer<object?>.Create(Operators.Order);
        object? Key(object? item)
        {
            object? key = bound.Optional(2) is string field ? Path(item, field) : item;
            return key is string text && !Operators.Truth(bound.Optional(1, false)) ? text.ToLowerInvariant() : key;
        }

        List<object?> items = Operators.Elements(value);
        return Operators.Truth(bound.Optional(0, false)) ? [.. items.OrderByDescending(Key, order)] : [.. items.OrderBy(Key, order)];
    }

    private static List<object?> Unique(object? value)
    {
        List<object?> unique = [];
        foreach (object? item in Operators.Elements(value))
        {
            if (!Operators.Contains(unique, item))
            {
                unique.Add(item);
            }
        }

        return unique;
    }

    // As Hugging Face's own tojson: json.dumps without escapes for HTML.
    private static string ToJson(object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("ensure_ascii", "indent", "separators", "sort_keys");
        int? indent = bound.Optional(1) is null ? null : (int)Math.Clamp(bound.Integer(1), 0, 64);
        (string items, string keys) = bound.Optional(2) is List<object?> { Count: 2 } separators
            ? (PythonText.Of(separators[0]), PythonText.Of(separators[1]))
            : (indent is null ? ", " : ",", ": ");
        return Operators.Limited(PythonText.Json(value, Operators.Truth(bound.Optional(0, false)), indent, items, keys, Operators.Truth(bound.Optional(3, false))));
    }

    private static object ToInteger(object? value) => value switch
    {
        double number when Math.Abs(number) < long.MaxValue => (object)(long)number,
        bool flag => flag ? 1L : 0L,
        long number => number,
        string text => long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out long number) ? number
            : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) && Math.Abs(real) < long.MaxValue ? (long)real : 0L,
        _ => 0L,
    };

    private static object ToFloat(object? value) => value switch
    {
        double number => number,
        bool flag => flag ? 1.0 : 0.0,
        long number => (double)number,
        string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) => number,
        _ => 0.0,
    };

    private static object? Path(object? item, string fields)
    {
        foreach (string field in fields.Split('.'))
        {
            item = long.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? Operators.Item(item, index) : Operators.Item(item, field);
        }

        return item;
    }

    private static string Text(string filter, object? value) => value as string ?? throw Wrong(filter, value);

    private static TemplateError Wrong(string filter, object? value) => TemplateError.Wrong($"filter '{filter}' does not work on {Operators.Kind(value)}");
}
