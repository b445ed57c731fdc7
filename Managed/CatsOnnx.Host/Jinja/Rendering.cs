// SPDX-License-Identifier: MIT
// One rendering of a template: what is written, where it stands, and its bounds.
using System.Text;

namespace CatsOnnx.Jinja;

/// <summary>The state of one rendering.</summary>
internal sealed class Rendering(DateTimeOffset now)
{
    private const int MaxSteps = 5_000_000; // a template comes with a model and may be anything
    private const int MaxCalls = 64;
    private int _steps;
    private int _calls;

    /// <summary>What strftime_now writes.</summary>
    public DateTimeOffset Now { get; } = now;

    /// <summary>The line that is rendered, for errors.</summary>
    public int Line { get; private set; } = 1;

    /// <summary>What was written.</summary>
    public StringBuilder Output { get; private set; } = new();

    public void Step(int line)
    {
        Line = line;
        if (++_steps > MaxSteps)
        {
            throw TemplateError.Wrong($"the template takes more than {MaxSteps} steps");
        }
    }

    public void Write(string text)
    {
        if (Output.Length + text.Length > Operators.MaxLength)
        {
            throw Operators.TooLong();
        }

        Output.Append(text);
    }

    /// <summary>What <paramref name="body"/> writes, as text.</summary>
    public string Capture(Action body)
    {
        StringBuilder outer = Output;
        Output = new StringBuilder();
        if (++_calls > MaxCalls)
        {
            throw TemplateError.Wrong($"macros call each other more than {MaxCalls} deep");
        }

        try
        {
            body();
            return Output.ToString();
        }
        finally
        {
            _calls--;
            Output = outer;
        }
    }
}
