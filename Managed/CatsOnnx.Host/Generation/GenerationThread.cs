// SPDX-License-Identifier: MIT
// The one thread on which a generator's requests run, in order: no hop between threads from token to token.
using System.Collections.Concurrent;

namespace CatsOnnx.Generation;

/// <summary>A background thread with a queue.</summary>
internal sealed class GenerationThread : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    public GenerationThread()
    {
        _thread = new Thread(() =>
        {
            foreach (Action action in _work.GetConsumingEnumerable())
            {
                action();
            }
        })
        {
            IsBackground = true,
            Name = "CatsOnnx generation",
        };
        _thread.Start();
    }

    /// <summary>Queues work, which must not throw.</summary>
    /// <exception cref="ObjectDisposedException">The thread has ended.</exception>
    public void Post(Action work)
    {
        try
        {
            _work.Add(work);
        }
        catch (Exception error) when (error is InvalidOperationException or ObjectDisposedException)
        {
            throw new ObjectDisposedException(nameof(TokenGenerator), error);
        }
    }

    /// <summary>Ends the thread after the work that is queued, and waits for it (not when called on it).</summary>
    public void Dispose()
    {
        _work.CompleteAdding();
        if (Thread.CurrentThread != _thread)
        {
            _thread.Join();
            _work.Dispose();
        }
    }
}
