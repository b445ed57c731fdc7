// SPDX-License-Identifier: MIT
// Where output goes: results to standard output, everything else to standard error. With --json standard output
// carries exactly one JSON document, also when the command fails; of a conversation, one a line.
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CatsOnnx.Cli.Terminal;

internal sealed class ToolOutput(bool json)
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static readonly JsonSerializerOptions OneLine = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private bool _resultWritten;

    /// <summary>The output of this run.</summary>
    public static ToolOutput Current { get; set; } = new(json: false);

    /// <summary>Whether one JSON document is wanted.</summary>
    public bool Json { get; } = json;

    /// <summary>Whether JSON documents are lines, of which there are several: a conversation's.</summary>
    public bool JsonLines { get; set; }

    /// <summary>A number for JSON, which has no NaN and no infinity: those become null.</summary>
    public static JsonNode? Number(double? value) => value is { } number && double.IsFinite(number) ? JsonValue.Create(number) : null;

    /// <summary>Formats with invariant culture, so that output is the same everywhere.</summary>
    public static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>A line of the result, for people. Nothing with --json.</summary>
    public void Line(FormattableString text) => Line(Format(text));

    /// <inheritdoc cref="Line(FormattableString)"/>
    public void Line(string text = "")
    {
        if (!Json)
        {
            Console.Out.WriteLine(text);
        }
    }

    /// <summary>A piece of a result that grows while it is made (generated text). Nothing with --json.</summary>
    public void Piece(string text)
    {
        if (!Json)
        {
            Console.Out.Write(text);
            Console.Out.Flush();
        }
    }

    /// <summary>Something worth knowing that is no result: to standard error.</summary>
    public void Note(FormattableString text) => Console.Error.WriteLine(Format(text));

    /// <summary>Something that went another way than asked: to standard error.</summary>
    public void Warn(FormattableString text) => Console.Error.WriteLine("warning: " + Format(text));

    /// <summary>The JSON document of this run, or a line of it. Only the first one counts, unless they are lines; nothing without --json.</summary>
    public void Result(JsonObject document)
    {
        if (!Json || (_resultWritten && !JsonLines))
        {
            return;
        }

        _resultWritten = true;
        using Stream stream = Console.OpenStandardOutput();
        stream.Write(Encoding.UTF8.GetBytes(document.ToJsonString(JsonLines ? OneLine : Indented) + "\n"));
    }

    /// <summary>Help or version text, which the parser writes.</summary>
    public void Text(string text, string name)
    {
        if (text.Length == 0)
        {
            return;
        }

        if (Json)
        {
            Result(new JsonObject { [name] = text.TrimEnd() });
        }
        else
        {
            Console.Out.Write(text);
        }
    }
}
