// SPDX-License-Identifier: MIT
// Runs every N-th decoding step of a request a second time, dense, and compares. The tokens stay those of the request without it.
using System.Diagnostics;
using CatsOnnx.Sampling;

namespace CatsOnnx.Generation;

/// <summary>The dense probes of one request.</summary>
/// <param name="every">Every how many decoded tokens; 0: never.</param>
internal sealed class DenseProbing(int every)
{
    private float[] _dense = []; // [vocabulary]
    private int _decoded;
    private int _count;
    private double _divergence; // in nats
    private int _agreed;
    private TimeSpan _elapsed;

    /// <summary>The comparison of the last token; null where it was not probed.</summary>
    public DenseProbe? Last { get; private set; }

    /// <summary>Whether the next decoded token is one to probe.</summary>
    public bool IsNext => every > 0 && (_decoded + 1) % every == 0;

    /// <summary>What all of them gave; null where there was none.</summary>
    public ProbeStatistics? Statistics =>
        _count == 0 ? null : new ProbeStatistics(_count, _divergence / _count, (double)_agreed / _count, _elapsed);

    /// <summary>Decodes one token, and probes it where it is its turn.</summary>
    /// <param name="step">The sequence.</param>
    /// <param name="id">Its last token, which is run.</param>
    /// <param name="sampler">Chooses the next one.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    public int Choose(DecodeStep step, int id, ISampler sampler, CancellationToken cancellationToken)
    {
        bool probes = IsNext;
        _decoded++;
        step.MayRunAhead = !IsNext; // what is begun ahead of a probe would have to be taken back
        Last = null;
        if (!probes)
        {
            return step.Choose([id], sampler, cancellationToken);
        }

        // First the dense run: keys and values of the one after it stand. The step waits for its logits, so that time is told apart.
        long start = Stopwatch.GetTimestamp();
        ReadOnlySpan<float> logits = step.Peek(id, 0, cancellationToken);
        if (_dense.Length != logits.Length)
        {
            _dense = new float[logits.Length];
        }

        logits.CopyTo(_dense);
        _elapsed += Stopwatch.GetElapsedTime(start);
        ReadOnlySpan<float> run = step.Run([id], cancellationToken);
        int chosen = sampler.Sample(run);
        start = Stopwatch.GetTimestamp();
        Last = Compare(run);
        _elapsed += Stopwatch.GetElapsedTime(start);
        _count++;
        _divergence += Last.Kl;
        _agreed += Last.Top1Agrees ? 1 : 0;
        return chosen;
    }

    private DenseProbe Compare(ReadOnlySpan<float> run)
    {
        try
        {
            return DenseProbe.Compare(_dense, run);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"The dense probe of decoded token {_decoded} cannot be compared: {error.Message}", error);
        }
    }
}
