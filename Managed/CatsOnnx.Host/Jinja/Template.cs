// SPDX-License-Identifier: MIT
// A Jinja template, as Hugging Face's chat templates use it: no feed serves a Jinja library for .NET, and Liquid engines
// (Fluid, Scriban) differ in syntax and in white space.
namespace CatsOnnx.Jinja;

/// <summary>A template that was read. Safe to render from several threads.</summary>
internal sealed class Template
{
    private readonly string _source;
    private readonly Body _body;

    private Template(string source, Body body, HashSet<string> names)
    {
        _source = source;
        _body = body;
        Names = names;
    }

    /// <summary>The names that its expressions ask for.</summary>
    public IReadOnlySet<string> Names { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="text">The template.</param>
    /// <param name="source">What errors call it.</param>
    /// <exception cref="NotSupportedException">It uses a part of Jinja that is not known here; the message names it.</exception>
    /// <exception cref="InvalidDataException">It is wrong; the message names the line.</exception>
    public static Template Read(string text, string source)
    {
        int line = 1;
        Parser? parser = null;
        try
        {
            parser = new Parser(Lexer.Cut(text, out line));
            Body body = parser.ReadTemplate();
            return new Template(source, body, parser.Names);
        }
        catch (TemplateError error)
        {
            throw error.At(source, parser?.Current.Line ?? line);
        }
    }

    /// <summary>Renders the template.</summary>
    /// <param name="values">The names that it can ask for.</param>
    /// <param name="now">What strftime_now gives.</param>
    /// <exception cref="ArgumentException">The template refuses the values by raise_exception.</exception>
    /// <exception cref="NotSupportedException">It calls something that is not known here; the message names it.</exception>
    /// <exception cref="InvalidDataException">It does something that cannot be; the message names the line.</exception>
    public string Render(IEnumerable<KeyValuePair<string, object?>> values, DateTimeOffset now)
    {
        Rendering rendering = new(now);
        Scope scope = new(null, rendering);
        foreach ((string name, object? value) in values)
        {
            scope.Set(name, value);
        }

        try
        {
            _body.Render(scope);
            return rendering.Output.ToString();
        }
        catch (TemplateError error)
        {
            throw error.At(_source, rendering.Line);
        }
    }
}
