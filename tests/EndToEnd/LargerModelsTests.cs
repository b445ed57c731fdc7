// SPDX-License-Identifier: MIT
// Eight windows of the 30 M models: the evaluation against sums written out here from ONNX Runtime's logits, and the
// sparse graph against the dense one. The full figures are eng/quality.sh's.
using System.Buffers.Binary;
using CatsOnnx.Calibration;
using CatsOnnx.Evaluation;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Text;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class LargerModelsTests(ITestOutputHelper output) : IDisposable
{
    private const int Tokens = 8 * 512;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cats-larger-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("llama-31m-optimum-fp32", 512)]
    [InlineData("mistral-29m-genai-fp16-cuda", 256)] // its sliding window: up to there the graph's own attention is right
    public void Dense_figures_equal_sums_written_out_from_the_reference_ids(string name, int length)
    {
        ModelFolder model = Needed(name);
        EvaluationResult ours = EvaluationRun.Run(
            model, TrainedModels.Windows(model, "eval.txt", Tokens, length), new EvaluationOptions { Choice = false }, Token);
        (double perplexity, double accuracy) = WrittenOut(model.ModelPath, length);
        output.WriteLine($"{name}: perplexity {ours.Perplexity} of {perplexity}, next token {ours.NextTokenAccuracy} of {accuracy}");
        Assert.Equal(perplexity, ours.Perplexity!.Value, 1e-5 * perplexity);
        Assert.Equal(accuracy, ours.NextTokenAccuracy!.Value, 1e-9);
    }

    // The number: ONNX Runtime 1.31.1 on the same graph with local_window_size 256 written over its bytes. Without the
    // window the perplexity of these windows is 24. PyTorch has 20.496 on the whole text, eng/quality.sh 20.496.
    [Fact]
    public void Mistral_attends_as_far_back_as_its_configuration_says()
    {
        ModelFolder model = Needed("mistral-29m-genai-fp16-cuda");
        EvaluationResult ours = EvaluationRun.Run(
            model, TrainedModels.Windows(model, "eval.txt", Tokens), new EvaluationOptions { Choice = false }, Token);
        Assert.Equal(19.68369, ours.Perplexity!.Value, 0.005);
    }

    // Perplexity and KL of eight windows lie near those of the whole text relative to dense; sparsity does exactly so.
    [Theory]
    [InlineData("llama-31m-optimum-fp32", "llama-31m", "layer", "cats_0.5")]
    [InlineData("llama-31m-optimum-fp32", "llama-31m", "neuron", "per_neuron_0.5")]
    [InlineData("mistral-29m-genai-fp16-cuda", "mistral-29m", "layer", "cats_0.5")]
    public void Half_sparse_costs_about_what_the_reference_says(string name, string reference, string method, string entry)
    {
        ModelFolder dense = Needed(name);
        TextWindows calibration = TrainedModels.Windows(dense, "calibrate.txt", Tokens);
        ThresholdTable thresholds = CalibrationRun.Run(dense, calibration, new CalibrationOptions { Method = method }, Token).ToThresholds();
        ModelFolder sparse = TrainedModels.Rewrite(dense, thresholds, Path.Combine(_folder.FullName, "sparse"));
        IReadOnlyList<EvaluationResult> results = EvaluationRun.RunAll(
            [dense, sparse], TrainedModels.Windows(dense, "eval.txt", Tokens), new EvaluationOptions { Against = dense }, Token);
        double expected = TrainedModels.Reference(reference, entry).GetProperty("perplexity").GetDouble()
            / TrainedModels.Reference(reference, "dense").GetProperty("perplexity").GetDouble();
        double cost = results[1].Perplexity!.Value / results[0].Perplexity!.Value;
        double kl = TrainedModels.Reference(reference, entry).GetProperty("kl").GetDouble();
        output.WriteLine($"{name} {method}: perplexity x{cost:F4} (whole text x{expected:F4}), KL {results[1].Kl:F4} ({kl:F4}), sparsity {results[1].Sparsity:F4}");
        Assert.Equal(expected, cost, 0.015);
        Assert.Equal(kl, results[1].Kl!.Value, 0.35 * kl);
        Assert.Equal(0.5, results[1].Sparsity!.Value, 0.02);
        Assert.True(results[1].Top1Agreement > 0.8);
        Assert.Equal(20, results[1].ChoiceItems);
    }

    private static ModelFolder Needed(string name)
    {
        ModelFolder? model = TrainedModels.Unpack(name);
        Assert.SkipWhen(model is null, $"../shared/models/{name}.tar.xz is absent");
        return model;
    }

    // One window at a time, the graph as exported, log-sum-exp as a plain loop in double.
    private static (double Perplexity, double Accuracy) WrittenOut(string modelPath, int length)
    {
        byte[] bytes = File.ReadAllBytes(SharedFiles.Find("models", "ids", "eval.8k.u16")!);
        using InferenceSession session = new(modelPath);
        double loss = 0;
        int right = 0;
        for (int start = 0; start < Tokens; start += length)
        {
            long[] ids = [.. Enumerable.Range(start, length).Select(i => (long)BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(2 * i)))];
            Dictionary<string, OrtValue> inputs = [];
            foreach ((string name, NodeMetadata meta) in session.InputMetadata)
            {
                inputs[name] = name switch
                {
                    "input_ids" => OrtValue.CreateTensorValueFromMemory(ids, [1, length]),
                    "attention_mask" => OrtValue.CreateTensorValueFromMemory(Enumerable.Repeat(1L, length).ToArray(), [1, length]),
                    "position_ids" => OrtValue.CreateTensorValueFromMemory(Enumerable.Range(0, length).Select(i => (long)i).ToArray(), [1, length]),
                    _ => OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, meta.ElementDataType, [1, meta.Dimensions[1], 0, 64]),
                };
            }

            using RunOptions options = new();
            using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(options, inputs, ["logits"]);
            bool half = outputs[0].GetTensorTypeAndShape().ElementDataType == TensorElementType.Float16;
            double[] logits = half
                ? [.. outputs[0].GetTensorDataAsSpan<Float16>().ToArray().Select(value => (double)(float)value)]
                : [.. outputs[0].GetTensorDataAsSpan<float>().ToArray().Select(value => (double)value)];
            foreach (OrtValue input in inputs.Values)
            {
                input.Dispose();
            }

            int vocabulary = logits.Length / length;
            for (int position = 0; position < length; position++)
            {
                int target = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(2 * (start + position + 1)));
                double sum = 0;
                int best = 0;
                for (int id = 0; id < vocabulary; id++)
                {
                    double logit = logits[position * vocabulary + id];
                    sum += Math.Exp(logit);
                    best = logit > logits[position * vocabulary + best] ? id : best;
                }

                loss += Math.Log(sum) - logits[position * vocabulary + target];
                right += best == target ? 1 : 0;
            }
        }

        return (Math.Exp(loss / Tokens), (double)right / Tokens);
    }
}
