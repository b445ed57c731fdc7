// SPDX-License-Identifier: MIT
// Reads JSON files strictly: every error names the file, the field and the value found.
using System.Text.Json;

namespace CatsOnnx;

/// <summary>A place in a JSON file.</summary>
/// <param name="Where">The file, then the field: "config.json: vocab_size".</param>
/// <param name="Element">The value there.</param>
internal readonly record struct JsonFile(string Where, JsonElement Element)
{
    /// <summary>Parses a file whose root is an object. The caller disposes the document.</summary>
    /// <exception cref="InvalidDataException">The file is no JSON or its root is no object.</exception>
    public static JsonDocument Open(string path)
    {
        JsonDocument document;
        try
        {
            using FileStream stream = File.OpenRead(path);
            document = JsonDocument.Parse(stream);
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"'{path}' is not valid JSON: {error.Message}", error);
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            JsonValueKind kind = document.RootElement.ValueKind;
            document.Dispose();
            throw new InvalidDataException($"'{path}' must hold a JSON object, but holds {Describe(kind)}.");
        }

        return document;
    }

    /// <summary>The field, or null where it is absent or null.</summary>
    public JsonFile? Optional(string name)
    {
        if (Element.ValueKind != JsonValueKind.Object)
        {
            throw Wrong("an object");
        }

        return Element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? new JsonFile(Below(name), value)
            : null;
    }

    /// <summary>The field, which must be there.</summary>
    public JsonFile Required(string name) => Optional(name) ?? throw new InvalidDataException($"{Below(name)} is missing.");

    /// <summary>The elements of an array.</summary>
    public IEnumerable<JsonFile> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array)
        {
            throw Wrong("an array");
        }

        return Enumerate(this);

        static IEnumerable<JsonFile> Enumerate(JsonFile array)
        {
            int index = 0;
            foreach (JsonElement item in array.Element.EnumerateArray())
            {
                yield return new JsonFile($"{array.Where}[{index++}]", item);
            }
        }
    }

    public string Text()
    {
        if (Element.ValueKind != JsonValueKind.String)
        {
            throw Wrong("text");
        }

        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"{Where} is text that is no valid Unicode.", error);
        }
    }

    /// <summary>A whole number of at least <paramref name="least"/>; 4096.0 counts as one.</summary>
    public int Integer(int least)
    {
        if (Element.ValueKind != JsonValueKind.Number || !Element.TryGetDouble(out double number)
            || number != Math.Floor(number) || number < least || number > int.MaxValue)
        {
            throw Wrong($"a whole number from {least} to {int.MaxValue}");
        }

        return (int)number;
    }

    public bool Flag() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("true or false"),
    };

    public int? OptionalInteger(string name, int least = 0) => Optional(name)?.Integer(least);

    public bool? OptionalFlag(string name) => Optional(name)?.Flag();

    public string? OptionalText(string name) => Optional(name)?.Text();

    /// <summary>The error for a value of another kind than <paramref name="expected"/>.</summary>
    public InvalidDataException Wrong(string expected)
    {
        string raw = Element.ValueKind is JsonValueKind.Object or JsonValueKind.Array ? Describe(Element.ValueKind) : Element.GetRawText();
        return new InvalidDataException($"{Where} must be {expected}, but is {(raw.Length > 80 ? raw[..80] + "..." : raw)}.");
    }

    private string Below(string name) => Where.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? $"{Where}: {name}" : $"{Where}.{name}";

    private static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "text",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };
}
