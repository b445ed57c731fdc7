// SPDX-License-Identifier: MIT
// Runs a graph in ONNX Runtime on arrays of an .npz file and gives its outputs as doubles.
using CatsOnnx.GraphRewriter.Model;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Tests.Support;

/// <summary>A session over a graph in memory.</summary>
public sealed class OrtRun : IDisposable
{
    private readonly SessionOptions _options = new();
    private readonly RunOptions _run = new();
    private readonly InferenceSession _session;

    // ONNX Runtime's table of domains has no lock (FirstSession.cs): it knows ours before the first session without the library.
    static OrtRun()
    {
        using SessionOptions first = new();
        first.RegisterCats();
    }

    /// <summary>Loads a graph.</summary>
    /// <param name="model">The graph; external data is read from its folder.</param>
    /// <param name="library">Whether the operator library is registered.</param>
    /// <param name="level">How far ONNX Runtime optimizes.</param>
    /// <param name="optimizedPath">Where the optimized graph goes, if anywhere.</param>
    public OrtRun(OnnxModel model, bool library, GraphOptimizationLevel level, string? optimizedPath = null)
    {
        _options.GraphOptimizationLevel = level;
        _options.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL;
        _options.IntraOpNumThreads = 1;
        if (optimizedPath is not null)
        {
            _options.OptimizedModelFilePath = optimizedPath;
        }

        if (library)
        {
            _options.RegisterCats();
        }

        if (model.Folder is not null)
        {
            _options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", model.Folder);
        }

        _session = new InferenceSession(model.ToBytes(), _options);
    }

    /// <summary>Names of the outputs.</summary>
    public IReadOnlyList<string> Outputs => _session.OutputNames;

    /// <summary>Names of the inputs, the overridable ones included.</summary>
    public IReadOnlyList<string> Inputs => [.. _session.InputMetadata.Keys, .. _session.OverridableInitializerMetadata.Keys];

    /// <summary>Runs the graph.</summary>
    /// <param name="inputs">Arrays by input name; those the graph does not have are left out.</param>
    /// <param name="thresholdScale">Value of cats.threshold_scale; null leaves its default.</param>
    /// <returns>Every output as doubles.</returns>
    public Dictionary<string, double[]> Run(IReadOnlyDictionary<string, NpyArray> inputs, float? thresholdScale = null)
    {
        Dictionary<string, OrtValue> values = new(StringComparer.Ordinal);
        try
        {
            foreach ((string name, NpyArray array) in inputs)
            {
                if (_session.InputMetadata.TryGetValue(name, out NodeMetadata? metadata))
                {
                    values.Add(name, Value(array, metadata.ElementDataType));
                }
            }

            if (thresholdScale is { } scale)
            {
                values.Add("cats.threshold_scale", OrtValue.CreateTensorValueFromMemory(new[] { scale }, []));
            }

            using IDisposableReadOnlyCollection<OrtValue> results = _session.Run(_run, values, _session.OutputNames);
            return _session.OutputNames.Zip(results).ToDictionary(pair => pair.First, pair => Doubles(pair.Second), StringComparer.Ordinal);
        }
        finally
        {
            foreach (OrtValue value in values.Values)
            {
                value.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _session.Dispose();
        _run.Dispose();
        _options.Dispose();
    }

    private static OrtValue Value(NpyArray array, TensorElementType type)
    {
        OrtValue value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, type, array.Shape);
        if (array.Bytes.Length > 0)
        {
            array.Bytes.CopyTo(value.GetTensorMutableRawData());
        }

        return value;
    }

    private static double[] Doubles(OrtValue value)
    {
        OrtTensorTypeAndShapeInfo info = value.GetTensorTypeAndShape();
        return info.ElementDataType switch
        {
            TensorElementType.Float => [.. value.GetTensorDataAsSpan<float>().ToArray().Select(v => (double)v)],
            TensorElementType.Float16 => [.. value.GetTensorDataAsSpan<Float16>().ToArray().Select(v => (double)(float)v)],
            TensorElementType.BFloat16 => [.. value.GetTensorDataAsSpan<BFloat16>().ToArray().Select(v => (double)(float)v)],
            TensorElementType.Double => value.GetTensorDataAsSpan<double>().ToArray(),
            TensorElementType.Int64 => [.. value.GetTensorDataAsSpan<long>().ToArray().Select(v => (double)v)],
            TensorElementType.Int32 => [.. value.GetTensorDataAsSpan<int>().ToArray().Select(v => (double)v)],
            _ => throw new NotSupportedException($"Outputs of type {info.ElementDataType} are not read."),
        };
    }
}
