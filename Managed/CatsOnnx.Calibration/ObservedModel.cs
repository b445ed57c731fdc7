// SPDX-License-Identifier: MIT
// A session whose graph counts gate activations, and what it has counted so far.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;
using CatsOnnx.Text;

namespace CatsOnnx.Calibration;

/// <summary>The sums of one layer over the tokens read.</summary>
internal sealed class LayerSums(int intermediateSize)
{
    /// <summary>The activations counted.</summary>
    public GateHistogram Histogram { get; } = new();

    /// <summary>[intermediate_size]: sum of abs(up_i).</summary>
    public double[] UpAbsSum { get; } = new double[intermediateSize];

    /// <summary>Tokens read.</summary>
    public long Tokens { get; set; }
}

/// <summary>A model opened for calibration.</summary>
internal sealed class ObservedModel : IDisposable
{
    // Tokens of a batch: enough to keep all cores busy.
    private const int TokensAtOnce = 2048;

    private readonly ModelSession _session;
    private readonly SequenceRunner _runner;
    private readonly IReadOnlyList<GateObserverOutputs> _observers;
    private readonly IReadOnlyList<string> _outputs;

    private ObservedModel(ModelSession session, IReadOnlyList<GateObserverOutputs> observers)
    {
        _session = session;
        _runner = new SequenceRunner(session);
        _observers = observers;
        _outputs = [.. observers.SelectMany(NamesOf)];
        Sums = [.. observers.Select(observer => new LayerSums(observer.IntermediateSize))];
    }

    /// <summary>[layers]: what was counted so far.</summary>
    public LayerSums[] Sums { get; }

    /// <summary>Opens a model with observers in its graph.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="graph">Its graph; it is not changed.</param>
    /// <param name="weights">[layers] of [intermediate_size]: multiplies the activations, or null.</param>
    /// <param name="options">How the session is opened.</param>
    public static ObservedModel Open(
        ModelFolder folder, OnnxModel graph, IReadOnlyList<ReadOnlyMemory<float>>? weights, ModelSessionOptions options)
    {
        OnnxModel copy = graph.Clone();
        IReadOnlyList<GateObserverOutputs> observers = InsertGateObservers.Apply(copy, weights);
        return new ObservedModel(ModelSession.Open(copy, folder, options, [.. observers.SelectMany(NamesOf)]), observers);
    }

    /// <summary>How many windows of this length are read in one run.</summary>
    public int WindowsAtOnce(int length) => Math.Max(1, TokensAtOnce / length);

    /// <summary>Reads windows and adds what the observers counted.</summary>
    /// <param name="ids">[batch, length].</param>
    /// <param name="batch">Windows.</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    public void Read(ReadOnlySpan<int> ids, int batch, CancellationToken cancellationToken)
    {
        using SequenceOutput output = _runner.Run(ids, batch, _outputs, cancellationToken: cancellationToken);
        for (int layer = 0; layer < Sums.Length; layer++)
        {
            Sums[layer].Histogram.Add(output[_observers[layer].Counts].GetTensorDataAsSpan<long>());
            Sums[layer].Tokens += output[_observers[layer].Tokens].GetTensorDataAsSpan<long>()[0];
            ReadOnlySpan<double> sums = output[_observers[layer].UpAbsSum].GetTensorDataAsSpan<double>();
            for (int neuron = 0; neuron < sums.Length; neuron++)
            {
                Sums[layer].UpAbsSum[neuron] += sums[neuron];
            }
        }
    }

    public void Dispose() => _session.Dispose();

    private static string[] NamesOf(GateObserverOutputs observer) => [observer.Counts, observer.UpAbsSum, observer.Tokens];
}
