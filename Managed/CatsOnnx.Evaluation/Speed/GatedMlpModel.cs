// SPDX-License-Identifier: MIT
// One gated MLP of a given shape with random weights, written as exporters write it: MatMul, Sigmoid, Mul, weights in
// external data. It is what a whole model spends most of its time on, so it is what a speed-up is shown with.
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Google.Protobuf;

namespace CatsOnnx.Evaluation.Speed;

/// <summary>A dense gated MLP on disk.</summary>
public sealed class GatedMlpModel
{
    private const string FileName = "mlp.onnx";
    private const int BlockRows = 64;

    private readonly float[] _activations; // [samples * intermediate], abs(SiLU(gate)), sorted

    private GatedMlpModel(string path, int hiddenSize, int intermediateSize, float[][] samples, float[] activations)
    {
        Path = path;
        HiddenSize = hiddenSize;
        IntermediateSize = intermediateSize;
        Samples = samples;
        _activations = activations;
    }

    /// <summary>The .onnx file. Input "x" [rows, hidden], output "y" [rows, hidden], float32.</summary>
    public string Path { get; }

    /// <summary>Width of the input and output.</summary>
    public int HiddenSize { get; }

    /// <summary>Neurons.</summary>
    public int IntermediateSize { get; }

    /// <summary>Inputs [samples][hidden], normalised as after an RMS norm; thresholds are taken from them.</summary>
    public IReadOnlyList<float[]> Samples { get; }

    /// <summary>Bytes of the three weights.</summary>
    public long WeightBytes => 3L * HiddenSize * IntermediateSize * sizeof(float);

    /// <summary>Writes the model into <paramref name="folder"/>, which must exist. Peak memory is a few megabytes.</summary>
    /// <param name="folder">Where mlp.onnx and mlp.onnx.data go.</param>
    /// <param name="hiddenSize">Width of the input.</param>
    /// <param name="intermediateSize">Neurons.</param>
    /// <param name="seed">Equal seeds give equal files.</param>
    /// <param name="samples">Inputs to draw; the thresholds are quantiles over their activations.</param>
    /// <param name="cancellation">Ends the writing early.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1.</exception>
    public static GatedMlpModel Write(
        string folder, int hiddenSize, int intermediateSize, int seed, int samples = 8, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hiddenSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(intermediateSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        Random random = new(seed);
        float[][] inputs = new float[samples][];
        float[][] gates = new float[samples][]; // [samples][intermediate], gate before SiLU
        for (int i = 0; i < samples; i++)
        {
            inputs[i] = new float[hiddenSize];
            gates[i] = new float[intermediateSize];
            FillUniform(random, inputs[i], MathF.Sqrt(3));
        }

        using (FileStream data = new(System.IO.Path.Combine(folder, FileName + GatedMlpGraph.DataSuffix), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1))
        {
            // gate and up [hidden, intermediate], down [intermediate, hidden]; entries keep the variance of what they multiply.
            float[] block = new float[BlockRows * Math.Max(hiddenSize, intermediateSize)];
            float width = MathF.Sqrt(3f / hiddenSize);
            WriteMatrix(hiddenSize, intermediateSize, width, (row, weights) =>
            {
                for (int i = 0; i < samples; i++)
                {
                    TensorPrimitives.MultiplyAdd(weights, inputs[i][row], gates[i], gates[i]);
                }
            });
            WriteMatrix(hiddenSize, intermediateSize, width, null);
            WriteMatrix(intermediateSize, hiddenSize, MathF.Sqrt(3f / intermediateSize), null);

            void WriteMatrix(int rows, int columns, float range, Action<int, ReadOnlySpan<float>>? each)
            {
                for (int first = 0; first < rows; first += BlockRows)
                {
                    cancellation.ThrowIfCancellationRequested();
                    int count = Math.Min(BlockRows, rows - first);
                    Span<float> values = block.AsSpan(0, count * columns);
                    FillUniform(random, values, range);
                    for (int row = 0; each is not null && row < count; row++)
                    {
                        each(first + row, values.Slice(row * columns, columns));
                    }

                    data.Write(MemoryMarshal.AsBytes(values));
                }
            }
        }

        float[] activations = [.. gates.SelectMany(gate => gate.Select(value => MathF.Abs(value / (1 + MathF.Exp(-value)))))];
        Array.Sort(activations);
        string path = System.IO.Path.Combine(folder, FileName);
        File.WriteAllBytes(path, GatedMlpGraph.Make(FileName, hiddenSize, intermediateSize, layers: 1).ToByteArray());
        return new GatedMlpModel(path, hiddenSize, intermediateSize, inputs, activations);
    }

    /// <summary>Writes a chain of MLPs whose data file is one hole of zeros: any size, in no time. For rewriting, not for speed.</summary>
    /// <param name="folder">Gets model.onnx and its data file.</param>
    /// <param name="hiddenSize">Width of the input.</param>
    /// <param name="intermediateSize">Neurons of an MLP.</param>
    /// <param name="layers">MLPs, one behind the other.</param>
    /// <returns>The .onnx file.</returns>
    public static string WriteHoles(string folder, int hiddenSize, int intermediateSize, int layers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        string path = System.IO.Path.Combine(folder, FileName);
        using (FileStream data = new(path + GatedMlpGraph.DataSuffix, FileMode.CreateNew, FileAccess.Write))
        {
            data.SetLength(3L * hiddenSize * intermediateSize * sizeof(float) * layers);
        }

        File.WriteAllBytes(path, GatedMlpGraph.Make(FileName, hiddenSize, intermediateSize, layers).ToByteArray());
        return path;
    }

    /// <summary>The threshold at which <paramref name="sparsity"/> of the samples' neurons are skipped; 0 at sparsity 0.</summary>
    /// <param name="sparsity">The share to skip, 0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="sparsity"/> is not in [0, 1].</exception>
    public float Threshold(double sparsity)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sparsity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sparsity, 1);
        return sparsity == 0 ? 0 : _activations[(int)(sparsity * (_activations.Length - 1))];
    }

    private static void FillUniform(Random random, Span<float> values, float range)
    {
        random.NextBytes(MemoryMarshal.AsBytes(values));
        float scale = range / int.MaxValue;
        Span<int> integers = MemoryMarshal.Cast<float, int>(values);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = integers[i] * scale;
        }
    }
}
