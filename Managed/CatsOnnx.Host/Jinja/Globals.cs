// SPDX-License-Identifier: MIT
// The functions that Hugging Face gives every chat template.
using System.Globalization;
using System.Text;

namespace CatsOnnx.Jinja;

internal static class Globals
{
    private const int MaxRange = 1_000_000;

    /// <summary>The function of a name, or null.</summary>
    public static Callable? Find(string name, Rendering rendering) => name switch
    {
        "raise_exception" => static arguments => throw new TemplateError(ErrorKind.Raised, PythonText.Of(arguments.Bind("message")[0])),
        "strftime_now" => arguments => Time(rendering.Now, arguments.Bind("format").Text(0)),
        "namespace" => MakeNamespace,
        "dict" => static arguments => Fields([], arguments),
        "range" => Range,
        _ => null,
    };

    private static Namespace MakeNamespace(Arguments arguments)
    {
        Namespace space = new();
        foreach ((string key, object? value) in Fields([], arguments))
        {
            space.Fields[key] = value;
        }

        return space;
    }

    private static Map Fields(Map map, Arguments arguments)
    {
        foreach (object? part in arguments.Positional)
        {
            foreach ((string key, object? value) in part as Map ?? throw TemplateError.Wrong($"{arguments.Function} needs a mapping, not {Operators.Kind(part)}"))
            {
                map[key] = value;
            }
        }

        foreach ((string name, object? value) in arguments.Named)
        {
            map[name] = value;
        }

        return map;
    }

    private static List<object?> Range(Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("start", "stop", "step");
        long start = bound.Has(1) ? bound.Integer(0) : 0;
        long stop = bound.Integer(bound.Has(1) ? 1 : 0);
        long step = bound.Has(2) ? bound.Integer(2) : 1;
        if (step == 0 || Math.Abs(((double)stop - start) / step) > MaxRange)
        {
            throw TemplateError.Wrong($"range({start}, {stop}, {step}) is endless or has more than {MaxRange} numbers");
        }

        List<object?> numbers = [];
        for (long i = start; step > 0 ? i < stop : i > stop; i += step)
        {
            numbers.Add(i);
        }

        return numbers;
    }

    // Python's strftime, in English.
    private static string Time(DateTimeOffset now, string format)
    {
        StringBuilder text = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            char code = format[++i];
            string? net = code switch
            {
                'd' => "dd",
                'm' => "MM",
                'y' => "yy",
                'Y' => "yyyy",
                'b' => "MMM",
                'B' => "MMMM",
                'a' => "ddd",
                'A' => "dddd",
                'H' => "HH",
                'I' => "hh",
                'M' => "mm",
                'S' => "ss",
                'p' => "tt",
                _ => null,
            };
            text.Append(code switch
            {
                '%' => "%",
                'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                _ => now.ToString(net ?? throw TemplateError.Unsupported($"'%{code}' of strftime_now"), CultureInfo.InvariantCulture),
            });
        }

        return text.ToString();
    }
}
