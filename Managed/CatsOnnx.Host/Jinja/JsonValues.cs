// SPDX-License-Identifier: MIT
// Values of JSON and of C# as values of a template.
using System.Collections;
using System.Globalization;
using System.Text.Json;

namespace CatsOnnx.Jinja;

internal static class JsonValues
{
    public static object? Of(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => OfObject(element),
        JsonValueKind.Array => element.EnumerateArray().Select(Of).ToList(),
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number => element.TryGetInt64(out long whole) ? (object)whole : element.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    /// <summary>A value that a program gives: JSON, text, numbers, booleans, mappings with text keys and lists of such.</summary>
    /// <exception cref="ArgumentException">It is of another kind.</exception>
    public static object? Of(object? value, string name) => value switch
    {
        null or string or bool or long or double => value,
        JsonElement element => Of(element),
        JsonDocument document => Of(document.RootElement),
        int or short or byte or uint or sbyte or ushort => Convert.ToInt64(value, CultureInfo.InvariantCulture),
        float number => (double)number,
        IEnumerable<KeyValuePair<string, object?>> fields => OfFields(fields, name),
        IEnumerable items and not IDictionary => items.Cast<object?>().Select(item => Of(item, name)).ToList(),
        _ => throw new ArgumentException($"'{name}' is a {value.GetType()}; a chat template takes JSON, text, numbers, booleans, mappings with text keys and lists of such."),
    };

    private static Map OfObject(JsonElement element)
    {
        Map map = [];
        foreach (JsonProperty property in element.EnumerateObject())
        {
            map[property.Name] = Of(property.Value);
        }

        return map;
    }

    private static Map OfFields(IEnumerable<KeyValuePair<string, object?>> fields, string name)
    {
        Map map = [];
        foreach ((string key, object? value) in fields)
        {
            map[key] = Of(value, name);
        }

        return map;
    }
}
