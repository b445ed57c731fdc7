// SPDX-License-Identifier: MIT
// The methods of Python's text and mappings that templates call.
namespace CatsOnnx.Jinja;

internal static class Methods
{
    private static readonly char[] s_white = [' ', '\t', '\n', '\r', '\v', '\f'];

    /// <summary>The method of a value, or null where it has none of that name.</summary>
    public static Callable? Find(object? value, string name) => value switch
    {
        string text => OfText(text, name),
        Map map => OfMap(map, name),
        _ => null,
    };

    /// <summary>[key, value] of each field.</summary>
    public static List<object?> Items(Map map) => [.. map.Select(field => new List<object?> { field.Key, field.Value })];

    /// <summary>strip([characters]) and its one-sided kinds.</summary>
    public static string Strip(string text, Arguments arguments, bool left, bool right)
    {
        string? given = arguments.Bind("chars").Optional(0) as string;
        // Without an argument Python strips all white space, with one just its characters.
        string trimmed = left ? (given is null ? text.TrimStart() : text.TrimStart(given.ToCharArray())) : text;
        return right ? (given is null ? trimmed.TrimEnd() : trimmed.TrimEnd(given.ToCharArray())) : trimmed;
    }

    /// <summary>replace(old, new[, count]).</summary>
    public static string Replace(string text, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("old", "new", "count");
        string old = bound.Text(0);
        string replacement = bound.Text(1);
        long left = bound.Optional(2) is null ? -1 : bound.Integer(2);
        if (old.Length == 0)
        {
            throw TemplateError.Unsupported("replace of an empty text");
        }

        if (left < 0)
        {
            long count = (text.Length - text.Replace(old, "", StringComparison.Ordinal).Length) / old.Length;
            return text.Length + (count * (replacement.Length - (long)old.Length)) > Operators.MaxLength
                ? throw Operators.TooLong()
                : text.Replace(old, replacement, StringComparison.Ordinal);
        }

        int from = 0;
        for (; left > 0 && text.IndexOf(old, from, StringComparison.Ordinal) is int at and >= 0; left--)
        {
            text = Operators.Limited(string.Concat(text.AsSpan(0, at), replacement, text.AsSpan(at + old.Length)));
            from = at + replacement.Length;
        }

        return text;
    }

    private static Callable? OfText(string text, string name) => name switch
    {
        "strip" => arguments => Strip(text, arguments, left: true, right: true),
        "lstrip" => arguments => Strip(text, arguments, left: true, right: false),
        "rstrip" => arguments => Strip(text, arguments, left: false, right: true),
        "split" => arguments => Split(text, arguments),
        "splitlines" => _ => text.ReplaceLineEndings("\n") is { Length: > 0 } lines ? (lines.EndsWith('\n') ? lines[..^1] : lines).Split('\n').ToList<object?>() : [],
        "startswith" => arguments => Any(arguments, part => text.StartsWith(part, StringComparison.Ordinal)),
        "endswith" => arguments => Any(arguments, part => text.EndsWith(part, StringComparison.Ordinal)),
        "replace" => arguments => Replace(text, arguments),
        "upper" => _ => text.ToUpperInvariant(),
        "lower" => _ => text.ToLowerInvariant(),
        "title" => arguments => Filters.Apply("title", text, arguments),
        "capitalize" => arguments => Filters.Apply("capitalize", text, arguments),
        "join" => arguments => Operators.Limited(string.Join(text, Operators.Elements(arguments.Bind("iterable")[0]).Select(PythonText.Of))),
        "find" => arguments => (long)text.IndexOf(arguments.Bind("sub").Text(0), StringComparison.Ordinal),
        "count" => arguments => arguments.Bind("sub").Text(0) is { Length: > 0 } part ? (text.Length - text.Replace(part, "", StringComparison.Ordinal).Length) / (long)part.Length : text.Length + 1L,
        "isdigit" => _ => text.Length > 0 && text.All(char.IsDigit),
        _ => null,
    };

    private static Callable? OfMap(Map map, string name) => name switch
    {
        "items" => _ => Items(map),
        "keys" => _ => map.Keys.ToList<object?>(),
        "values" => _ => map.Values.ToList(),
        "get" => arguments =>
        {
            Arguments.Bound bound = arguments.Bind("key", "default");
            return bound[0] is string key && map.TryGetValue(key, out object? value) ? value : bound.Optional(1);
        },
        _ => null,
    };

    // One text, or a list of them.
    private static object Any(Arguments arguments, Func<string, bool> holds) =>
        arguments.Bind("prefix")[0] switch
        {
            string part => holds(part),
            List<object?> parts => parts.OfType<string>().Any(holds),
            var other => throw TemplateError.Wrong($"{arguments.Function} needs text, not {Operators.Kind(other)}"),
        };

    private static List<object?> Split(string text, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("sep", "maxsplit");
        long most = bound.Has(1) ? bound.Integer(1) : -1;
        int count = most < 0 ? int.MaxValue : (int)Math.Min(most + 1, int.MaxValue);
        if (bound.Optional(0) is string separator)
        {
            return separator.Length > 0 ? [.. text.Split(separator, count)] : throw TemplateError.Wrong("split needs a separator that is not empty");
        }

        // Without a separator: at runs of white space, none at either end.
        return count == int.MaxValue
            ? [.. text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)]
            : [.. text.TrimStart().Split(s_white, count, StringSplitOptions.RemoveEmptyEntries).Select(part => part.TrimStart())];
    }
}
