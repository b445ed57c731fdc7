// SPDX-License-Identifier: MIT
// Sets or removes model.decoder.session_options.custom_ops_library in a genai_config.json and leaves every other byte as
// it is: formatting, order and number forms of the user's file survive.
using System.Text;
using System.Text.Json;

namespace CatsOnnx.GraphRewriter.Output;

/// <summary>Edits genai_config.json in place.</summary>
internal static class GenAiConfigEdit
{
    /// <summary>The file's name.</summary>
    public const string FileName = "genai_config.json";

    private const string Key = "custom_ops_library";
    private static readonly string[] s_path = ["model", "decoder", "session_options"];

    /// <summary>The library that a configuration names, or null.</summary>
    /// <param name="json">The file, UTF-8.</param>
    /// <returns>The value of custom_ops_library in model.decoder.session_options.</returns>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static string? GetLibrary(ReadOnlySpan<byte> json) => Find(json).Value;

    /// <summary>Sets the library's file name.</summary>
    /// <param name="json">The file.</param>
    /// <param name="libraryName">A bare file name, which GenAI looks for in the model's folder; null removes the entry.</param>
    /// <exception cref="JsonException">It is no JSON, or has no model.decoder object.</exception>
    public static byte[] SetLibrary(ReadOnlySpan<byte> json, string? libraryName)
    {
        Place place = Find(json);
        if (libraryName is null)
        {
            return place.PropertyStart < 0 ? json.ToArray() : Remove(json, place);
        }

        string value = JsonSerializer.Serialize(libraryName);
        if (place.PropertyStart >= 0)
        {
            return [.. json[..place.ValueStart], .. Encoding.UTF8.GetBytes(value), .. json[place.ValueEnd..]];
        }

        if (place.ObjectStart < 0)
        {
            throw new JsonException("it has no model.decoder object to name a library in.");
        }

        // right after the brace, with the white space that the next entry has
        int at = place.ObjectStart + 1;
        int space = at;
        while (space < json.Length && json[space] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            space++;
        }

        bool empty = json[space] == '}';
        string entry = $"\"{Key}\": {value}";
        for (int depth = s_path.Length - 1; depth >= place.Depth; depth--)
        {
            entry = $"\"{s_path[depth]}\": {{ {entry} }}";
        }

        return [.. json[..at], .. empty ? default : json[at..space], .. Encoding.UTF8.GetBytes(entry), .. empty ? ""u8 : ","u8, .. json[at..]];
    }

    private static byte[] Remove(ReadOnlySpan<byte> json, Place place)
    {
        int end = place.ValueEnd;
        int after = end;
        while (json[after] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            after++;
        }

        if (json[after] == ',')
        {
            after++;
            while (json[after] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
            {
                after++;
            }

            return [.. json[..place.PropertyStart], .. json[after..]];
        }

        int before = place.PropertyStart;
        while (json[before - 1] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            before--;
        }

        return json[before - 1] == ','
            ? [.. json[..(before - 1)], .. json[end..]]
            : [.. json[..place.PropertyStart], .. json[end..]];
    }

    /// <summary>Where things are, in bytes; -1 where they are not.</summary>
    /// <param name="Depth">How many parts of the path exist as objects.</param>
    /// <param name="ObjectStart">The brace of the deepest of them, from model.decoder on.</param>
    /// <param name="PropertyStart">The entry's name.</param>
    /// <param name="ValueStart">The entry's value.</param>
    /// <param name="ValueEnd">Behind the value.</param>
    /// <param name="Value">The value, where it is a string.</param>
    private readonly record struct Place(int Depth, int ObjectStart, int PropertyStart, int ValueStart, int ValueEnd, string? Value);

    private static Place Find(ReadOnlySpan<byte> json)
    {
        int bom = json.StartsWith("\uFEFF"u8) ? 3 : 0;
        Utf8JsonReader reader = new(json[bom..]);
        Place place = new(0, -1, -1, -1, -1, null);
        int matched = 0;
        int propertyStart = -1;
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    propertyStart = bom + (int)reader.TokenStartIndex;
                    int depth = reader.CurrentDepth;
                    if (depth == matched + 1 && matched < s_path.Length && reader.ValueTextEquals(s_path[matched]))
                    {
                        reader.Read();
                        if (reader.TokenType != JsonTokenType.StartObject)
                        {
                            reader.Skip();
                            break;
                        }

                        matched++;
                        if (matched >= 2)
                        {
                            place = place with { Depth = matched, ObjectStart = bom + (int)reader.TokenStartIndex };
                        }
                    }
                    else if (depth == s_path.Length + 1 && matched == s_path.Length && reader.ValueTextEquals(Key))
                    {
                        reader.Read();
                        int valueStart = bom + (int)reader.TokenStartIndex;
                        string? value = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                        reader.Skip();
                        place = place with { PropertyStart = propertyStart, ValueStart = valueStart, ValueEnd = bom + (int)reader.BytesConsumed, Value = value };
                    }
                    else
                    {
                        reader.Read();
                        reader.Skip();
                    }

                    break;
                case JsonTokenType.EndObject when matched > 0 && reader.CurrentDepth == matched:
                    // a part of the path ends; a later one of the same name is not looked at
                    return place;
            }
        }

        return place;
    }
}
