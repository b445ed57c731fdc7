// SPDX-License-Identifier: MIT
// Runs text through a model whose graph in memory observes its gate activations.
using System.Diagnostics;
using System.Reflection;
using CatsOnnx.Calibration.Methods;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Session;
using CatsOnnx.Text;

namespace CatsOnnx.Calibration;

/// <summary>Calibrates models.</summary>
public static class CalibrationRun
{
    /// <summary>
    /// Observes the gate activations of a model on a text, or on one shard of it. A method that weighs neurons reads the
    /// whole text first for the weights, in every shard, so that all shards count with the same ones and merged shards
    /// give exactly the thresholds of one run.
    /// </summary>
    /// <param name="model">The model. Of a rewritten one the source graph is observed.</param>
    /// <param name="windows">The text, in the ids of the model's tokenizer.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <param name="cancellationToken">Ends the run within one operator.</param>
    /// <returns>What was observed: <see cref="GateObservations.ToThresholds"/> makes thresholds of it.</returns>
    /// <exception cref="ArgumentException">The method is unknown, or the sparsity or shard is out of its range.</exception>
    /// <exception cref="InvalidDataException">The model cannot be loaded, or has no MLP that can be rewritten.</exception>
    /// <exception cref="OperationCanceledException">The run was ended.</exception>
    public static GateObservations Run(
        ModelFolder model, TextWindows windows, CalibrationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(windows);
        options ??= new();
        if (!(options.Sparsity is >= 0 and < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.Sparsity, $"The sparsity is 0 up to but not 1, not {options.Sparsity}.");
        }

        IThresholdMethod method = MethodCatalog.Get(options.Method);
        (int first, int end) = windows.Shard(options.Shard, options.Shards);
        OnnxModel graph = OnnxModel.Load(model.ModelPath);
        RewriteReport report = ModelRewriter.Inspect(graph);
        if (report.Fused > 0)
        {
            report = ModelRewriter.Revert(graph);
        }

        if (report.Fusable == 0)
        {
            string reasons = string.Join(" ", report.Mlps.Select(mlp => $"{mlp.Name}: {mlp.Reason}.").Distinct().Take(3));
            throw new InvalidDataException($"'{model.ModelPath}' has no MLP that can be rewritten, so there is nothing to calibrate. {reasons}".TrimEnd());
        }

        IReadOnlyList<ReadOnlyMemory<float>>? weights = null;
        if (method.WeighsNeurons)
        {
            LayerSums[] sums = Observe("Weighing neurons", model, graph, weights: null, windows, 0, windows.Count, options, cancellationToken);
            weights = [.. sums.Select(layer => (ReadOnlyMemory<float>)method.Weigh(layer.UpAbsSum, layer.Tokens))];
        }

        LayerSums[] layers = Observe("Observing gates", model, graph, weights, windows, first, end, options, cancellationToken);
        return new GateObservations
        {
            Method = method.Name,
            Sparsity = options.Sparsity,
            ModelHash = report.ModelHash,
            TextSha256 = windows.TextSha256,
            TextTokens = windows.TokenCount,
            ToolVersion = ToolVersion,
            Shards = options.Shards,
            Parts = [options.Shard],
            Layers = [.. layers.Select((layer, index) => new LayerObservations(
                report.Layers[index].Name, layer.UpAbsSum.Length, layer.Tokens, layer.Histogram, weights?[index] ?? default))],
        };
    }

    private static string ToolVersion { get; } =
        typeof(CalibrationRun).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    private static LayerSums[] Observe(
        string stage,
        ModelFolder model,
        OnnxModel graph,
        IReadOnlyList<ReadOnlyMemory<float>>? weights,
        TextWindows windows,
        int first,
        int end,
        CalibrationOptions options,
        CancellationToken cancellationToken)
    {
        using ObservedModel observed = ObservedModel.Open(model, graph, weights, options.Session);
        int most = observed.WindowsAtOnce(windows.Length);
        Stopwatch clock = Stopwatch.StartNew();
        for (int window = first; window < end; window += most)
        {
            int count = Math.Min(most, end - window);
            observed.Read(windows.Ids.Slice(window * windows.Length, count * windows.Length), count, cancellationToken);
            options.Progress?.Report(new(stage, (long)(window + count - first) * windows.Length, (long)(end - first) * windows.Length, clock.Elapsed));
        }

        return observed.Sums;
    }
}
