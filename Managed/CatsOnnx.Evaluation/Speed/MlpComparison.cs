// SPDX-License-Identifier: MIT
// One gated MLP with random weights, dense in ONNX Runtime's own nodes and sparse as the rewriter makes it, in one
// interleaved run. Several MLPs can take turns, so that no weight is still in the processor's cache when it is needed.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Thresholds;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Evaluation.Speed;

/// <summary>Times an MLP of a shape, dense and sparse.</summary>
public sealed class MlpComparison : IDisposable
{
    private const string SparseFile = "sparse.onnx";

    private readonly List<GatedMlpModel> _models = [];
    private readonly List<InferenceSession> _dense = [];
    private readonly List<InferenceSession> _sparse = [];
    private readonly SessionOptions _denseOptions = new();
    private readonly SessionOptions _sparseOptions = new();
    private int _turn;

    private MlpComparison()
    {
    }

    /// <summary>Bytes of the dense weights of all copies.</summary>
    public long WeightBytes => _models.Sum(model => model.WeightBytes);

    /// <summary>Writes the models and opens the sessions.</summary>
    /// <param name="folder">An empty folder; it gets twice the weights' bytes and is the caller's to delete.</param>
    /// <param name="hiddenSize">Width of the input.</param>
    /// <param name="intermediateSize">Neurons.</param>
    /// <param name="sparsity">Share of neurons to skip; the threshold is the quantile of the MLP's own activations.</param>
    /// <param name="copies">MLPs that take turns, each with weights of its own.</param>
    /// <param name="threads">Threads of one operator; 0 lets ONNX Runtime choose.</param>
    /// <param name="cancellation">Ends it early.</param>
    public static MlpComparison Create(
        string folder, int hiddenSize, int intermediateSize, double sparsity, int copies = 1, int threads = 0, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(copies, 1);
        MlpComparison comparison = new();
        try
        {
            comparison._sparseOptions.RegisterCats();

            // The threads of the session that does not run would spin on the other's processors: both stop at once.
            comparison._denseOptions.AddSessionConfigEntry("session.force_spinning_stop", "1");
            comparison._sparseOptions.AddSessionConfigEntry("session.force_spinning_stop", "1");
            comparison._sparseOptions.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR; // it warns of cats.threshold_scale
            if (threads > 0)
            {
                comparison._denseOptions.IntraOpNumThreads = comparison._sparseOptions.IntraOpNumThreads = threads;
            }

            for (int copy = 0; copy < copies; copy++)
            {
                string place = Directory.CreateDirectory(Path.Combine(folder, $"mlp{copy}")).FullName;
                GatedMlpModel model = GatedMlpModel.Write(place, hiddenSize, intermediateSize, seed: copy + 1, cancellation: cancellation);
                comparison._models.Add(model);
                string sparse = Path.Combine(place, SparseFile);
                Rewrite(model, model.Threshold(sparsity), sparse, cancellation);
                comparison._dense.Add(new InferenceSession(model.Path, comparison._denseOptions));
                comparison._sparse.Add(new InferenceSession(sparse, comparison._sparseOptions));
            }

            return comparison;
        }
        catch
        {
            comparison.Dispose();
            throw;
        }
    }

    /// <summary>Times the two in turns.</summary>
    /// <param name="rows">Tokens in one run: 1 is decoding.</param>
    /// <param name="pairs">Pairs to time.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>The dense nodes as baseline, the sparse operator as candidate.</returns>
    public PairedTiming Measure(int rows, int pairs, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        int width = _models[0].HiddenSize;
        float[] x = new float[rows * width];
        float[] y = new float[rows * width];
        using OrtValue input = OrtValue.CreateTensorValueFromMemory(x, [rows, width]);
        using OrtValue output = OrtValue.CreateTensorValueFromMemory(y, [rows, width]);
        using RunOptions options = new();

        // Whoever comes second in a pair runs on the next MLP: neither finds what the other left in the cache.
        return PairedTiming.Measure(() => Run(_dense), () => Run(_sparse), pairs, warmup: Math.Max(2, _models.Count), cancellation);

        void Run(List<InferenceSession> sessions)
        {
            int turn = _turn++;
            IReadOnlyList<float[]> samples = _models[turn % _models.Count].Samples;
            for (int row = 0; row < rows; row++)
            {
                samples[(turn + row) % samples.Count].CopyTo(x, row * width);
            }

            sessions[turn % _models.Count].Run(options, ["x"], [input], ["y"], [output]);
        }
    }

    /// <summary>Largest difference of the sparse output at threshold scale 0 from the dense one, over the largest magnitude.</summary>
    public double DifferenceAtScaleZero()
    {
        int width = _models[0].HiddenSize;
        using RunOptions options = new();
        using OrtValue input = OrtValue.CreateTensorValueFromMemory(_models[0].Samples[0], [1, width]);
        using OrtValue zero = OrtValue.CreateTensorValueFromMemory(new float[1], []);
        using IDisposableReadOnlyCollection<OrtValue> dense = _dense[0].Run(options, ["x"], [input], ["y"]);
        using IDisposableReadOnlyCollection<OrtValue> sparse = _sparse[0].Run(options, ["x", OpSchemas.ThresholdScale], [input, zero], ["y"]);
        ReadOnlySpan<float> expected = dense[0].GetTensorDataAsSpan<float>();
        ReadOnlySpan<float> actual = sparse[0].GetTensorDataAsSpan<float>();
        double largest = 0;
        double difference = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(expected[i]));
            difference = Math.Max(difference, Math.Abs(expected[i] - actual[i]));
        }

        return difference / largest;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _dense.ForEach(session => session.Dispose());
        _sparse.ForEach(session => session.Dispose());
        _denseOptions.Dispose();
        _sparseOptions.Dispose();
    }

    private static void Rewrite(GatedMlpModel source, float threshold, string path, CancellationToken cancellation)
    {
        OnnxModel model = OnnxModel.Load(source.Path);
        ThresholdTable thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), threshold);
        RewriteReport report = ModelRewriter.Rewrite(model, new RewriteOptions { Thresholds = thresholds });
        if (report.Fused != 1)
        {
            throw new InvalidOperationException($"The rewriter made {report.Fused} of 1 MLPs sparse: {report.ToJson()}");
        }

        model.Save(path, cancellation: cancellation);
    }
}
