// SPDX-License-Identifier: MIT
// A conversation in a person's terminal, in colours. Spectre.Console is loaded only here, so that short commands start fast.
using Spectre.Console;

namespace CatsOnnx.Cli.Jobs.Chat;

internal sealed class TerminalScreen : ChatScreen
{
    private readonly IAnsiConsole _console = AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(Console.Out),
        ColorSystem = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
    });

    public override void Welcome(string text) => Styled(text, "grey");

    public override string? Ask()
    {
        _console.Markup("[green]>[/] ");
        return Console.In.ReadLine();
    }

    // As it comes: the terminal breaks the lines, and Spectre would put a break where a piece ends.
    public override void Piece(string text)
    {
        Console.Out.Write(text);
        Console.Out.Flush();
    }

    public override void EndAnswer(ChatAnswer answer)
    {
        Console.Out.WriteLine();
        Styled(answer.Summary, "grey");
    }

    public override void Say(string text) => Styled(text, "default");

    public override void Complain(string text) => Styled(text, "red");

    public override void Leave() => Console.Out.WriteLine();

    private void Styled(string text, string style) => _console.MarkupLine($"[{style}]{Markup.Escape(text)}[/]");
}
