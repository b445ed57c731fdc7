// SPDX-License-Identifier: MIT
// A terminal that may be closed while the tool still undoes what is half done: what nobody can see any more is dropped, where
// .NET's own writer fails (EIO), on the thread of a signal or of a progress bar too, and with it the process.
using System.Text;

namespace CatsOnnx.Cli.Terminal;

/// <param name="terminal">Standard output or standard error.</param>
internal sealed class TerminalWriter(TextWriter terminal) : TextWriter
{
    public override Encoding Encoding => terminal.Encoding;

    /// <summary>Takes the place of the console's own writers where those write to a terminal.</summary>
    public static void Install()
    {
        if (!Console.IsOutputRedirected)
        {
            Console.SetOut(new TerminalWriter(Console.Out));
        }

        if (!Console.IsErrorRedirected)
        {
            Console.SetError(new TerminalWriter(Console.Error));
        }
    }

    public override void Write(char value) => Write([value]);

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(string? value) => Write(value.AsSpan());

    public override void WriteLine(string? value) => Write(value + NewLine); // one write: a terminal shows whole lines

    public override void Write(ReadOnlySpan<char> buffer)
    {
        try
        {
            terminal.Write(buffer);
        }
        catch (IOException)
        {
            // it is closed
        }
    }

    public override void Flush()
    {
        try
        {
            terminal.Flush();
        }
        catch (IOException)
        {
            // it is closed
        }
    }
}
