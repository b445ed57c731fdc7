// SPDX-License-Identifier: MIT
// Generated tokens as they come, and the result when they have.
using System.Threading.Channels;

namespace CatsOnnx.Generation;

/// <summary>A request that is running. Its tokens are read once; leaving the loop early ends the request.</summary>
public sealed class GenerationStream : IAsyncEnumerable<GeneratedToken>
{
    private readonly ChannelReader<GeneratedToken> _tokens;
    private readonly CancellationTokenSource _stop;

    internal GenerationStream(ChannelReader<GeneratedToken> tokens, Task<GenerationResult> completion, CancellationTokenSource stop)
    {
        _tokens = tokens;
        _stop = stop;
        Completion = completion;
    }

    /// <summary>Text, reason and statistics once the request has ended; fails as the request fails or is cancelled.</summary>
    public Task<GenerationResult> Completion { get; }

    /// <inheritdoc/>
    public async IAsyncEnumerator<GeneratedToken> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        try
        {
            await foreach (GeneratedToken token in _tokens.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                yield return token;
            }

            await Completion.ConfigureAwait(false); // its error, where it failed
        }
        finally
        {
            await _stop.CancelAsync().ConfigureAwait(false);
        }
    }
}
