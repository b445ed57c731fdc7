// SPDX-License-Identifier: MIT
// Where a conversation is read and shown.
namespace CatsOnnx.Cli.Jobs.Chat;

internal abstract class ChatScreen
{
    /// <summary>The one that suits: a person's terminal, or plain lines or JSON for a script.</summary>
    public static ChatScreen For(Cli.Terminal.ToolOutput output)
    {
        bool person = !Console.IsInputRedirected && !Console.IsOutputRedirected && !output.Json
            && !string.Equals(Environment.GetEnvironmentVariable("TERM"), "dumb", StringComparison.Ordinal);
        return person ? new TerminalScreen() : output.Json ? new JsonScreen(output) : new PlainScreen(output);
    }

    /// <summary>Says how to begin.</summary>
    public abstract void Welcome(string text);

    /// <summary>Reads a line; null at the end of the input.</summary>
    public abstract string? Ask();

    /// <summary>Shows a piece of an answer.</summary>
    public abstract void Piece(string text);

    /// <summary>Ends an answer.</summary>
    /// <param name="answer">All of it, and what it took.</param>
    public abstract void EndAnswer(ChatAnswer answer);

    /// <summary>Shows what a command gives.</summary>
    public abstract void Say(string text);

    /// <summary>Says what went wrong; the conversation goes on.</summary>
    public abstract void Complain(string text);

    /// <summary>Ends the line that a person left open, by Ctrl+C or Ctrl+D.</summary>
    public abstract void Leave();
}
