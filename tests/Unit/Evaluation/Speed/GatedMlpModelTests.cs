// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using CatsOnnx.Evaluation.Speed;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Unit.Evaluation.Speed;

public sealed class GatedMlpModelTests : IDisposable
{
    private const int Hidden = 24;
    private const int Intermediate = 150;

    private readonly string _folder = Directory.CreateTempSubdirectory("cats-mlp-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void OnnxRuntime_computes_what_the_weights_on_disk_say()
    {
        GatedMlpModel model = GatedMlpModel.Write(_folder, Hidden, Intermediate, seed: 3);
        float[] weights = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(model.Path + ".data")).ToArray();
        Assert.Equal(model.WeightBytes, weights.Length * sizeof(float));
        using InferenceSession session = new(model.Path);
        foreach (float[] x in model.Samples)
        {
            using OrtValue input = OrtValue.CreateTensorValueFromMemory(x, [1, Hidden]);
            using RunOptions options = new();
            using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(options, ["x"], [input], ["y"]);
            ReadOnlySpan<float> y = outputs[0].GetTensorDataAsSpan<float>();
            double[] expected = Expected(weights, x);
            for (int i = 0; i < Hidden; i++)
            {
                Assert.Equal(expected[i], y[i], 1e-4);
            }
        }
    }

    [Theory]
    [InlineData(.5)]
    [InlineData(.9)]
    public void The_threshold_splits_the_activations_at_the_sparsity(double sparsity)
    {
        GatedMlpModel model = GatedMlpModel.Write(_folder, Hidden, Intermediate, seed: 3);
        float[] weights = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(model.Path + ".data")).ToArray();
        int below = model.Samples.Sum(x => Gates(weights, x).Count(gate => Math.Abs(gate / (1 + Math.Exp(-gate))) < model.Threshold(sparsity)));
        Assert.InRange(below / (double)(model.Samples.Count * Intermediate), sparsity - .005, sparsity + .005);
        Assert.Equal(0, model.Threshold(0));
    }

    [Fact]
    public void Equal_seeds_give_equal_files()
    {
        string other = Directory.CreateDirectory(Path.Combine(_folder, "other")).FullName;
        string first = GatedMlpModel.Write(_folder, Hidden, Intermediate, seed: 9).Path;
        string second = GatedMlpModel.Write(other, Hidden, Intermediate, seed: 9).Path;
        Assert.Equal(File.ReadAllBytes(first + ".data"), File.ReadAllBytes(second + ".data"));
    }

    private static double[] Gates(float[] weights, float[] x) =>
        [.. Enumerable.Range(0, Intermediate).Select(i => Enumerable.Range(0, Hidden).Sum(h => (double)x[h] * weights[(h * Intermediate) + i]))];

    private static double[] Expected(float[] weights, float[] x)
    {
        double[] gate = Gates(weights, x);
        ReadOnlySpan<float> up = weights.AsSpan(Hidden * Intermediate, Hidden * Intermediate);
        ReadOnlySpan<float> down = weights.AsSpan(2 * Hidden * Intermediate);
        double[] y = new double[Hidden];
        for (int i = 0; i < Intermediate; i++)
        {
            double product = 0;
            for (int h = 0; h < Hidden; h++)
            {
                product += (double)x[h] * up[(h * Intermediate) + i];
            }

            product *= gate[i] / (1 + Math.Exp(-gate[i]));
            for (int h = 0; h < Hidden; h++)
            {
                y[h] += product * down[(i * Hidden) + h];
            }
        }

        return y;
    }
}
