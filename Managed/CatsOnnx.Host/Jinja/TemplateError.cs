// SPDX-License-Identifier: MIT
// What can go wrong in a template: inside as one exception, at its edge as those of .NET.
namespace CatsOnnx.Jinja;

/// <summary>Whose fault an error is.</summary>
internal enum ErrorKind
{
    /// <summary>The template is wrong, or is given values of other kinds than it expects.</summary>
    Wrong,

    /// <summary>The template uses a part of Jinja that is not implemented here.</summary>
    Unsupported,

    /// <summary>The template refused its input by raise_exception.</summary>
    Raised,
}

/// <summary>An error inside a template; <see cref="Template"/> adds file and line.</summary>
internal sealed class TemplateError(ErrorKind kind, string message) : Exception(message)
{
    public ErrorKind Kind { get; } = kind;

    public static TemplateError Wrong(string message) => new(ErrorKind.Wrong, message);

    public static TemplateError Unsupported(string construct) => new(ErrorKind.Unsupported, $"{construct} is not supported");

    /// <summary>The exception that callers see.</summary>
    public Exception At(string source, int line) => Kind switch
    {
        ErrorKind.Unsupported => new NotSupportedException($"{source}, line {line}: {Message} in chat templates here."),
        ErrorKind.Raised => new ArgumentException($"{source} refuses this conversation: {Message}", this),
        _ => new InvalidDataException($"{source}, line {line}: {Message}.", this),
    };
}
