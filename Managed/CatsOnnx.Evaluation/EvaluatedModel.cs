// SPDX-License-Identifier: MIT
// A model opened for evaluation: its graph in memory counts the active neurons of each sparse layer.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Sampling;
using CatsOnnx.Session;
using CatsOnnx.Text;

namespace CatsOnnx.Evaluation;

/// <summary>A session that gives logits and active neurons.</summary>
internal sealed class EvaluatedModel : IDisposable
{
    private readonly ModelSession _session;
    private readonly SequenceRunner _runner;
    private readonly IReadOnlyList<ActiveCount> _counts;
    private readonly IReadOnlyList<string> _outputs;
    private readonly float? _thresholdScale;

    private EvaluatedModel(ModelSession session, IReadOnlyList<ActiveCount> counts, float? thresholdScale)
    {
        _session = session;
        _runner = new SequenceRunner(session);
        _counts = counts;
        _outputs = [session.Signature.Logits, .. counts.Select(count => count.Output)];
        _thresholdScale = thresholdScale;
        IntermediateSizes = [.. counts.Select(count => count.IntermediateSize)];
    }

    /// <summary>[layers]: the neurons of each layer whose active neurons are counted; empty for a dense model.</summary>
    public IReadOnlyList<int> IntermediateSizes { get; }

    /// <summary>Logits of a token.</summary>
    public int VocabSize => _session.Signature.VocabSize;

    /// <summary>Whether tokens can be read after others.</summary>
    public bool HasCache => _session.Signature.HasCache && _session.Signature.FixedSequence is null;

    /// <summary>Opens a model, or a changed copy of its graph.</summary>
    public static EvaluatedModel Open(ModelFolder folder, ModelSessionOptions options, float? thresholdScale, OnnxModel? graph = null)
    {
        ModelSession session = graph is null
            ? ModelSession.OpenCounting(folder, out IReadOnlyList<ActiveCount> counts, options)
            : ModelSession.OpenCounting(graph, folder, out counts, options);
        return new EvaluatedModel(session, counts, thresholdScale);
    }

    /// <summary>Reads sequences of equal length and measures their logits.</summary>
    /// <param name="ids">[batch, length].</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    /// <param name="past">What the one sequence read before; then active neurons are not counted.</param>
    public ReadBatch Read(int[] ids, int batch, CancellationToken cancellationToken, SequencePast? past = null)
    {
        SequenceOutput output = _runner.Run(ids, batch, past is null ? _outputs : [_session.Signature.Logits], _thresholdScale, past, cancellationToken);
        try
        {
            return new ReadBatch(output, new LogitBlock(output[_session.Signature.Logits]), past is null ? Active(output) : []);
        }
        catch
        {
            output.Dispose();
            throw;
        }
    }

    /// <summary>Reads sequences for their keys and values alone; the caller disposes them.</summary>
    /// <param name="ids">[batch, length].</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    public SequencePast[] ReadPasts(int[] ids, int batch, CancellationToken cancellationToken)
    {
        using SequenceOutput output = _runner.Run(ids, batch, SequencePast.OutputsOf(_session.Signature), _thresholdScale, null, cancellationToken);
        return [.. Enumerable.Range(0, batch).Select(sequence => SequencePast.Of(_session.Signature, output, sequence))];
    }

    public void Dispose() => _session.Dispose();

    private long[] Active(SequenceOutput output)
    {
        long[] sums = new long[_counts.Count];
        for (int layer = 0; layer < sums.Length; layer++)
        {
            // int32 [batch, length]: the active neurons of each token
            foreach (int active in output[_counts[layer].Output].GetTensorDataAsSpan<int>())
            {
                sums[layer] += active;
            }
        }

        return sums;
    }
}

/// <summary>What a model said about some sequences; disposing frees the logits.</summary>
internal sealed class ReadBatch(SequenceOutput output, LogitBlock logits, long[] active) : IDisposable
{
    /// <summary>[tokens, vocab_size].</summary>
    public LogitBlock Logits { get; } = logits;

    /// <summary>[tokens].</summary>
    public RowStatistics[] Statistics { get; } = logits.Measure();

    /// <summary>[layers]: active neurons, summed over the tokens.</summary>
    public long[] Active { get; } = active;

    public void Dispose() => output.Dispose();
}
