// SPDX-License-Identifier: MIT
// The keys and values of the tokens so far, bound to a session as past and present.
using CatsOnnx.Memory;
using CatsOnnx.Session;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Generation;

/// <summary>How past and present keys and values share memory.</summary>
public enum CacheLayout
{
    /// <summary>Shared where the model's files allow it, else growing.</summary>
    Auto,

    /// <summary>Present is past and the new tokens, in another buffer.</summary>
    Growing,

    /// <summary>Present is written into past's own buffer, which has room for all tokens (GroupQueryAttention). On a GPU only
    /// where <see cref="ModelSession.UsesCudaGraph"/>, else growing.</summary>
    Shared,
}

/// <summary>Keys and values of sequences of equal length: for each layer two tensors [batch, key value heads, tokens, head size].</summary>
internal abstract class KvCache : IDisposable
{
    private readonly int _batch;

    protected KvCache(ModelSignature signature, TensorPlace place, int batch)
    {
        Signature = signature;
        Place = place;
        _batch = batch;
    }

    /// <summary>Tokens that there is room for.</summary>
    public int Capacity { get; private set; }

    /// <summary>Tokens held.</summary>
    public int Length { get; private set; }

    protected ModelSignature Signature { get; }

    protected TensorPlace Place { get; }

    /// <summary>Empties the cache and makes room for <paramref name="capacity"/> tokens; larger memory is kept.</summary>
    /// <param name="capacity">Tokens that there will be at most.</param>
    /// <param name="binding">The binding that runs use.</param>
    /// <param name="kept">Tokens at the beginning that should stay.</param>
    /// <returns>How many stayed: all or none of them.</returns>
    public int Reset(int capacity, OrtIoBinding binding, int kept = 0)
    {
        try
        {
            kept = kept > 0 && kept <= Length && Keep(kept, Math.Max(capacity, Capacity)) ? kept : 0;
            if (capacity > Capacity)
            {
                if (kept == 0)
                {
                    Allocate(capacity);
                }

                Capacity = capacity;
            }
        }
        catch
        {
            // Without memory there is nothing to go on from: the next request allocates anew.
            Length = 0;
            Capacity = 0;
            throw;
        }

        Length = kept;
        Begin(binding);
        return kept;
    }

    /// <exception cref="InvalidOperationException">There is no room for so many more.</exception>
    public void RequireRoom(int newTokens)
    {
        if (Length + newTokens > Capacity)
        {
            throw new InvalidOperationException($"The cache holds {Length} tokens and has room for {Capacity}: {newTokens} more do not fit.");
        }
    }

    /// <summary>Binds past (the tokens held) and present (with <paramref name="newTokens"/> more) before a run.</summary>
    public void Bind(OrtIoBinding binding, int newTokens)
    {
        RequireRoom(newTokens);
        BindRun(binding, newTokens);
    }

    /// <summary>Takes the new tokens in after a run.</summary>
    public void Advance(int newTokens)
    {
        Length += newTokens;
        Advanced();
    }

    /// <summary>Forgets the last tokens; for caches that keep their tensors.</summary>
    public void Shorten(int tokens) => Length -= tokens;

    /// <summary>Where a layer's keys (an even index) or values lie: the tokens held are the first of each head's room.</summary>
    /// <param name="tensor">0 to 2 * layers - 1: keys and values, layer by layer.</param>
    public abstract (nint Start, int Room) Held(int tensor);

    public abstract void Dispose();

    protected abstract void Allocate(int capacity);

    /// <summary>Makes the memory hold the first tokens alone, with room for <paramref name="capacity"/> (not below
    /// <see cref="Capacity"/>).</summary>
    /// <returns>False where that cannot be done; nothing has changed then.</returns>
    protected abstract bool Keep(int tokens, int capacity);

    protected abstract void Begin(OrtIoBinding binding);

    protected abstract void BindRun(OrtIoBinding binding, int newTokens);

    protected abstract void Advanced();

    /// <summary>Bytes of one layer's keys (or values) for <paramref name="tokens"/> tokens.</summary>
    protected long Bytes(LayerCache layer, int tokens) =>
        (long)_batch * layer.KeyValueHeads * tokens * layer.HeadDim * FloatBits.Size(Signature.CacheType);

    /// <summary>Copies the first tokens of each head between two tensors [heads, room, head size] in the process's memory,
    /// which may begin at one address where the new room is not larger.</summary>
    protected void CopyHeads(LayerCache layer, nint from, int fromRoom, nint to, int toRoom, int tokens)
    {
        long token = (long)layer.HeadDim * FloatBits.Size(Signature.CacheType);
        Place.CopyRows(from, fromRoom * token, to, toRoom * token, tokens * token, (long)_batch * layer.KeyValueHeads);
    }

    /// <summary>A tensor [batch, heads, tokens, head size] over memory.</summary>
    protected OrtValue View(LayerCache layer, nint start, int tokens) =>
        Place.View(Signature.CacheType, [_batch, layer.KeyValueHeads, tokens, layer.HeadDim], start);
}
