// SPDX-License-Identifier: MIT
// Reads lines and answers them until the end. Ctrl+C ends the answer that runs; another one, or one between answers, the program.
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Jobs.Chat;

/// <param name="talk">The conversation.</param>
/// <param name="screen">Where it is read and shown.</param>
internal sealed class ChatLoop(Talk talk, ChatScreen screen) : IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Lock _lock = new();
    private CancellationTokenSource? _answer;

    /// <summary>Runs the conversation.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="OperationCanceledException">The process was told to end.</exception>
    public async Task<int> Run(CancellationToken cancellation)
    {
        using IDisposable offer = Interruption.Offer(OnInterrupt);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(_end.Token, cancellation);
        ChatCommands commands = new(talk, screen);
        try
        {
            // A read that waits for a person cannot be ended: it is left behind.
            while (!commands.IsOver && await Task.Run(screen.Ask, CancellationToken.None).WaitAsync(either.Token) is { } line)
            {
                Handle(line, commands, either.Token);
                either.Token.ThrowIfCancellationRequested();
            }

            if (!commands.IsOver)
            {
                screen.Leave();
            }

            return ExitCode.Done;
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            screen.Leave();
            return ExitCode.Interrupted;
        }
    }

    public void Dispose() => _end.Dispose();

    private void Handle(string line, ChatCommands commands, CancellationToken end)
    {
        try
        {
            if (ChatCommands.IsCommand(line))
            {
                commands.Run(line);
            }
            else if (line.Trim().Length > 0)
            {
                Answer(line.StartsWith("//", StringComparison.Ordinal) ? line[1..] : line, end);
            }
        }
        catch (Exception error) when (error is UsageException or UnsuitableInputException or ArgumentException or NotSupportedException or InvalidDataException)
        {
            screen.Complain(error.Message);
        }
    }

    private void Answer(string line, CancellationToken end)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(end);
        lock (_lock)
        {
            _answer = stop;
        }

        try
        {
            screen.EndAnswer(talk.Answer(line, screen.Piece, stop.Token));
        }
        finally
        {
            lock (_lock)
            {
                _answer = null;
            }
        }
    }

    private bool OnInterrupt()
    {
        lock (_lock)
        {
            if (_end.IsCancellationRequested)
            {
                return false;
            }

            (_answer is { IsCancellationRequested: false } running ? running : _end).Cancel();
            return true;
        }
    }
}
