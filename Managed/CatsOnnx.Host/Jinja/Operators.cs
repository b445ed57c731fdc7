// SPDX-License-Identifier: MIT
// What Python's operators do with the values of a template.
namespace CatsOnnx.Jinja;

internal static class Operators
{
    // A template comes with a model and may be anything: no value grows beyond this.
    public const int MaxLength = 16 << 20;

    /// <summary>What kind a value is, for errors.</summary>
    public static string Kind(object? value) => value switch
    {
        null => "none",
        bool => "a boolean",
        long => "a whole number",
        double => "a number",
        string => "text",
        List<object?> => "a list",
        Map => "a mapping",
        Namespace => "a namespace",
        Undefined undefined => undefined.Error().Message,
        _ => "a function",
    };

    public static bool Truth(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        List<object?> list => list.Count > 0,
        Map map => map.Count > 0,
        _ => true,
    };

    public static bool Same(object? a, object? b)
    {
        if (Number(a) is double left && Number(b) is double right)
        {
            return left == right;
        }

        return (a, b) switch
        {
            (null, null) or (Undefined, Undefined) => true,
            (string x, string y) => x == y,
            (List<object?> x, List<object?> y) => x.Count == y.Count && x.Zip(y).All(pair => Same(pair.First, pair.Second)),
            (Map x, Map y) => x.Count == y.Count && x.All(field => y.TryGetValue(field.Key, out object? other) && Same(field.Value, other)),
            _ => a is not null && ReferenceEquals(a, b),
        };
    }

    /// <summary>Below 0, 0 or above 0 for numbers, text and lists of them.</summary>
    public static int Order(object? a, object? b)
    {
        if (Number(a) is double left && Number(b) is double right)
        {
            return left.CompareTo(right);
        }

        if (a is string x && b is string y)
        {
            return string.CompareOrdinal(x, y);
        }

        if (a is List<object?> first && b is List<object?> second)
        {
            foreach ((object? one, object? other) in first.Zip(second))
            {
                if (Order(one, other) is int order and not 0)
                {
                    return order;
                }
            }

            return first.Count - second.Count;
        }

        throw TemplateError.Wrong($"{Kind(a)} and {Kind(b)} have no order");
    }

    public static bool Contains(object? container, object? item) => container switch
    {
        string text => item is string part ? text.Contains(part, StringComparison.Ordinal) : throw TemplateError.Wrong($"text cannot contain {Kind(item)}"),
        List<object?> list => list.Exists(element => Same(element, item)),
        Map map => item is string key && map.ContainsKey(key),
        Undefined => false,
        _ => throw TemplateError.Wrong($"'in' needs a list, a mapping or text, not {Kind(container)}"),
    };

    public static object? Binary(string symbol, object? a, object? b) => (symbol, a, b) switch
    {
        ("~", _, _) => Limited(PythonText.Of(a) + PythonText.Of(b)),
        ("+", string x, string y) => Limited(x + y),
        ("+", List<object?> x, List<object?> y) => (List<object?>)[.. x, .. y],
        ("*", string x, long times) => Repeat(x, times),
        ("*", long times, string x) => Repeat(x, times),
        _ => Arithmetic(symbol, a, b),
    };

    public static object Negative(object? value) => value switch
    {
        long number => (object)-number, // (object), or C# would make every number a double
        double number => -number,
        _ => throw TemplateError.Wrong($"'-' needs a number, not {Kind(value)}"),
    };

    /// <summary>The elements that 'for' goes through: of text its characters, of a mapping its keys.</summary>
    public static List<object?> Elements(object? value) => value switch
    {
        List<object?> list => list,
        Map map => [.. map.Keys],
        string text => [.. Characters(text)],
        Undefined => [],
        _ => throw TemplateError.Wrong($"{Kind(value)} has no elements"),
    };

    /// <summary>The characters of a text: code points, as Python counts them.</summary>
    public static IEnumerable<string> Characters(string text) => text.EnumerateRunes().Select(rune => rune.ToString());

    /// <summary>value[key], or undefined.</summary>
    public static object? Item(object? value, object? key)
    {
        switch (value, key)
        {
            case (Map map, string name):
                return map.TryGetValue(name, out object? field) ? field : new Undefined($"field '{name}'");
            case (List<object?> list, long index):
                return Within(index, list.Count) is int at ? list[at] : new Undefined($"element {index}");
            case (string text, long index):
                List<string> characters = [.. Characters(text)];
                return Within(index, characters.Count) is int place ? characters[place] : new Undefined($"character {index}");
            case (Undefined undefined, _):
                throw undefined.Error();
            default:
                return new Undefined($"element {PythonText.Of(key)} of {Kind(value)}");
        }
    }

    /// <summary>value[from:to:step].</summary>
    public static object Slice(object? value, long? from, long? to, long step)
    {
        if (step == 0)
        {
            throw TemplateError.Wrong("the step of a slice is 0");
        }

        List<object?> all = value is string or List<object?> ? Elements(value) : throw TemplateError.Wrong($"{Kind(value)} has no slices");
        long count = all.Count;
        long start = from is null ? (step > 0 ? 0 : count - 1) : Clip(from.Value < 0 ? from.Value + count : from.Value);
        long end = to is null ? (step > 0 ? count : -1) : Clip(to.Value < 0 ? to.Value + count : to.Value);
        List<object?> part = [];
        for (long i = start; step > 0 ? i < end : i > end; i += step)
        {
            part.Add(all[(int)i]);
        }

        return value is string ? string.Concat(part) : part;

        long Clip(long at) => step > 0 ? Math.Clamp(at, 0, count) : Math.Clamp(at, -1, count - 1);
    }

    /// <summary>The text, where it is not longer than a template may make one.</summary>
    public static string Limited(string text) => text.Length <= MaxLength ? text : throw TooLong();

    public static TemplateError TooLong() => TemplateError.Wrong($"a text would have more than {MaxLength} characters");

    private static int? Within(long index, int count)
    {
        long at = index < 0 ? index + count : index;
        return at >= 0 && at < count ? (int)at : null;
    }

    private static string Repeat(string text, long times)
    {
        if (times > 0 && text.Length * (double)times > MaxLength)
        {
            throw TooLong();
        }

        return string.Concat(Enumerable.Repeat(text, (int)Math.Max(0, text.Length == 0 ? 0 : times)));
    }

    private static object Arithmetic(string symbol, object? a, object? b)
    {
        if (Number(a) is not double x || Number(b) is not double y)
        {
            throw TemplateError.Wrong($"'{symbol}' does not work on {Kind(a)} and {Kind(b)}");
        }

        if (y == 0 && (symbol is "/" or "//" or "%"))
        {
            throw TemplateError.Wrong("division by zero");
        }

        try
        {
            return (symbol, Whole(a), Whole(b)) switch
            {
                ("+", long i, long j) => (object)checked(i + j),
                ("-", long i, long j) => checked(i - j),
                ("*", long i, long j) => checked(i * j),
                ("//", long i, long j) => (i / j) - (i % j != 0 && (i < 0) != (j < 0) ? 1 : 0),
                ("%", long i, long j) => ((i % j) + j) % j,
                ("**", long i, >= 0 and long j) => Power(i, j),
                ("+", _, _) => x + y,
                ("-", _, _) => x - y,
                ("*", _, _) => x * y,
                ("/", _, _) => x / y,
                ("//", _, _) => Math.Floor(x / y),
                ("%", _, _) => x - (y * Math.Floor(x / y)),
                ("**", _, _) => Math.Pow(x, y),
                _ => throw TemplateError.Unsupported($"operator '{symbol}'"),
            };
        }
        catch (OverflowException)
        {
            throw TemplateError.Wrong($"the result of '{symbol}' is too large");
        }
    }

    private static long Power(long value, long exponent)
    {
        if (value is 0 or 1 or -1)
        {
            return exponent == 0 ? 1 : value == -1 && exponent % 2 == 0 ? 1 : value;
        }

        long result = 1;
        for (long i = 0; i < exponent; i++)
        {
            result = checked(result * value); // ends after 63 steps at the latest
        }

        return result;
    }

    /// <summary>A number or a boolean as a number, as Python takes them.</summary>
    private static double? Number(object? value) => value switch { bool flag => flag ? 1 : 0, long number => number, double number => number, _ => null };

    private static long? Whole(object? value) => value switch { bool flag => flag ? 1 : 0, long number => number, _ => null };
}
