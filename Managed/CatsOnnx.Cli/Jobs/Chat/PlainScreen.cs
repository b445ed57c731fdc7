// SPDX-License-Identifier: MIT
// A conversation in plain lines: answers to standard output, all else to standard error, so that scripts can hold one.
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Jobs.Chat;

internal sealed class PlainScreen(ToolOutput output) : ChatScreen
{
    public override void Welcome(string text)
    {
    }

    public override string? Ask() => Console.In.ReadLine();

    public override void Piece(string text) => output.Piece(text);

    public override void EndAnswer(ChatAnswer answer)
    {
        output.Line();
        output.Note($"{answer.Summary}");
    }

    public override void Say(string text) => output.Line(text);

    public override void Complain(string text) => output.Note($"error: {text}");

    public override void Leave()
    {
    }
}
