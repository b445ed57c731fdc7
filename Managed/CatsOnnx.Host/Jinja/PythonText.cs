// SPDX-License-Identifier: MIT
// Values written as Python writes them: str(), repr() and json.dumps().
using System.Globalization;
using System.Text;

namespace CatsOnnx.Jinja;

internal static class PythonText
{
    private const int MaxDepth = 64;

    /// <summary>str(value): what {{ }} writes.</summary>
    public static string Of(object? value) => value as string ?? (value is Undefined ? "" : Repr(value));

    /// <summary>repr(value).</summary>
    public static string Repr(object? value)
    {
        StringBuilder text = new();
        Repr(value, text, 0);
        return text.ToString();
    }

    /// <summary>json.dumps(value, ensure_ascii, indent, separators, sort_keys).</summary>
    public static string Json(object? value, bool ascii, int? indent, string itemSeparator, string keySeparator, bool sorted)
    {
        StringBuilder text = new();
        new JsonWriter(text, ascii, indent, itemSeparator, keySeparator, sorted).Write(value, 0);
        return text.ToString();
    }

    /// <summary>A number as Python writes it: 1.0, 1e-05, 1e+16, inf.</summary>
    public static string Number(double value)
    {
        if (double.IsNaN(value))
        {
            return "nan";
        }

        if (double.IsInfinity(value))
        {
            return value > 0 ? "inf" : "-inf";
        }

        // .NET's shortest digits are Python's; only the form differs.
        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        string scientific = value.ToString("E16", CultureInfo.InvariantCulture);
        int exponent = int.Parse(scientific[(scientific.IndexOf('E', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
        if (value != 0 && exponent is < -4 or >= 16)
        {
            string digits = shortest.Split('E')[0].Replace(".", "", StringComparison.Ordinal).TrimStart('-', '0').TrimEnd('0');
            string mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
            return $"{(value < 0 ? "-" : "")}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        string plain = shortest.Contains('E') ? ((decimal)value).ToString(CultureInfo.InvariantCulture) : shortest;
        return plain.Contains('.') ? plain : plain + ".0";
    }

    private static void Repr(object? value, StringBuilder text, int depth)
    {
        CheckDepth(depth);
        switch (value)
        {
            case null:
                text.Append("None");
                break;
            case bool flag:
                text.Append(flag ? "True" : "False");
                break;
            case long number:
                text.Append(number.ToString(CultureInfo.InvariantCulture));
                break;
            case double number:
                text.Append(Number(number));
                break;
            case string letters:
                Quote(letters, text);
                break;
            case List<object?> list:
                text.Append('[');
                for (int i = 0; i < list.Count; i++)
                {
                    text.Append(i > 0 ? ", " : "");
                    Repr(list[i], text, depth + 1);
                }

                text.Append(']');
                break;
            case Map map:
                text.Append('{');
                for (int i = 0; i < map.Count; i++)
                {
                    text.Append(i > 0 ? ", " : "");
                    Quote(map.GetAt(i).Key, text);
                    text.Append(": ");
                    Repr(map.GetAt(i).Value, text, depth + 1);
                }

                text.Append('}');
                break;
            case Undefined:
                break;
            default:
                throw TemplateError.Unsupported($"writing {Operators.Kind(value)} as text");
        }
    }

    private static void Quote(string letters, StringBuilder text)
    {
        char quote = letters.Contains('\'') && !letters.Contains('"') ? '"' : '\'';
        text.Append(quote);
        foreach (char letter in letters)
        {
            _ = letter switch
            {
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                _ when letter == quote => text.Append('\\').Append(letter),
                < ' ' or '\x7f' => text.Append(CultureInfo.InvariantCulture, $"\\x{(int)letter:x2}"),
                _ => text.Append(letter),
            };
        }

        text.Append(quote);
    }

    private static void CheckDepth(int depth)
    {
        if (depth > MaxDepth)
        {
            throw TemplateError.Wrong($"values are nested more than {MaxDepth} deep");
        }
    }

    private sealed class JsonWriter(StringBuilder text, bool ascii, int? indent, string itemSeparator, string keySeparator, bool sorted)
    {
        public void Write(object? value, int depth)
        {
            CheckDepth(depth);
            switch (value)
            {
                case null:
                    text.Append("null");
                    break;
                case bool flag:
                    text.Append(flag ? "true" : "false");
                    break;
                case long number:
                    text.Append(number.ToString(CultureInfo.InvariantCulture));
                    break;
                case double number:
                    text.Append(double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? (number > 0 ? "Infinity" : "-Infinity") : Number(number));
                    break;
                case string letters:
                    String(letters);
                    break;
                case List<object?> list:
                    Items('[', ']', list, depth, item => Write(item, depth + 1));
                    break;
                case Map map:
                    IEnumerable<KeyValuePair<string, object?>> fields = sorted ? map.OrderBy(field => field.Key, StringComparer.Ordinal) : map;
                    Items('{', '}', fields, depth, field =>
                    {
                        String(field.Key);
                        text.Append(keySeparator);
                        Write(field.Value, depth + 1);
                    });
                    break;
                default:
                    throw TemplateError.Wrong($"tojson cannot write {Operators.Kind(value)}");
            }
        }

        private void Items<T>(char open, char close, IEnumerable<T> items, int depth, Action<T> write)
        {
            text.Append(open);
            bool first = true;
            foreach (T item in items)
            {
                text.Append(first ? "" : itemSeparator);
                NewLine(depth + 1);
                write(item);
                first = false;
            }

            if (!first)
            {
                NewLine(depth);
            }

            text.Append(close);
        }

        private void NewLine(int depth)
        {
            if (indent is int width)
            {
                text.Append('\n').Append(' ', width * depth);
            }
        }

        private void String(string letters)
        {
            text.Append('"');
            foreach (char letter in letters)
            {
                _ = letter switch
                {
                    '"' => text.Append("\\\""),
                    '\\' => text.Append("\\\\"),
                    '\n' => text.Append("\\n"),
                    '\r' => text.Append("\\r"),
                    '\t' => text.Append("\\t"),
                    '\b' => text.Append("\\b"),
                    '\f' => text.Append("\\f"),
                    < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}"),
                    > '~' when ascii => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}"),
                    _ => text.Append(letter),
                };
            }

            text.Append('"');
        }
    }
}
