// SPDX-License-Identifier: MIT
// Windows of real models in every layout: the perplexity of a few windows is that of the reference, and of each other.
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class GenerationWindowTests
{
    [Theory]
    [InlineData("optimum-fp32", 1e-5)]
    [InlineData("genai-fp32-cpu", 1e-5)]
    [InlineData("genai-fp16-cuda", 3e-3)]
    public void Every_export_of_one_model_gives_the_same_log_likelihood(string export, double tolerance)
    {
        int[] ids = Window();
        using ModelSession first = ModelSession.Open(ModelFolder.Open(Shared("models/llama-3m/optimum-fp32")));
        double expected = LogLikelihood(first, ids);
        using ModelSession session = ModelSession.Open(ModelFolder.Open(Shared("models/llama-3m/" + export)));
        Assert.Equal(6, session.Signature.Layers.Count);
        Assert.Equal(4096, session.Config.VocabSize);
        Assert.Equal(expected, LogLikelihood(session, ids), Math.Abs(expected) * tolerance);
        Assert.InRange(Math.Exp(-expected / (ids.Length - 1)), 10, 60); // the whole text's perplexity lies in between
    }

    [Fact]
    public void A_graph_in_memory_finds_its_external_data_in_the_folder()
    {
        int[] ids = Window();
        ModelFolder folder = ModelFolder.Open(Shared("models/llama-3m/genai-fp32-cpu"));
        using ModelSession file = ModelSession.Open(folder);
        using ModelSession memory = ModelSession.Open(File.ReadAllBytes(folder.ModelPath), folder);
        Assert.True(file.RunWindow(ids).Logits.SequenceEqual(memory.RunWindow(ids).Logits));
    }

    [Fact]
    public void Disposing_while_windows_run_lets_them_end()
    {
        int[] ids = Window();
        ModelSession session = ModelSession.Open(ModelFolder.Open(Shared("models/llama-3m/optimum-fp32")));
        using ManualResetEventSlim started = new();
        Exception? error = null;
        Thread thread = new(() =>
        {
            try
            {
                while (true)
                {
                    Assert.False(float.IsNaN(session.RunWindow(ids).Logits[0]));
                    started.Set();
                }
            }
            catch (Exception caught)
            {
                error = caught;
                started.Set();
            }
        });
        thread.Start();
        started.Wait();
        session.Dispose();
        Assert.True(thread.Join(TimeSpan.FromSeconds(60)));
        Assert.IsType<ObjectDisposedException>(error);
    }

    [Fact]
    public void Windows_refuse_ids_outside_the_vocabulary_and_scales_without_thresholds()
    {
        using ModelSession session = ModelSession.Open(ModelFolder.Open(Shared("models/llama-3m/optimum-fp32")));
        Assert.Contains("4096", Assert.Throws<ArgumentOutOfRangeException>(() => session.RunWindow([1, 4096])).Message);
        Assert.Contains("2048", Assert.Throws<ArgumentOutOfRangeException>(() => session.RunWindow(new int[2049])).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => session.RunWindow([]));
        Assert.Contains("cats.threshold_scale", Assert.Throws<InvalidOperationException>(() => session.RunWindow([1, 2], 0)).Message);
    }

    private static int[] Window()
    {
        TextTokenizer tokenizer = TokenizerLoader.Load(Shared("models/llama-3m/optimum-fp32"));
        return tokenizer.Encode(File.ReadAllText(Shared("models/text/eval_fiction.txt"))[..3000], addSpecialTokens: true)[..512];
    }

    private static double LogLikelihood(ModelSession session, int[] ids)
    {
        WindowOutput output = session.RunWindow(ids);
        double sum = 0;
        for (int i = 0; i + 1 < ids.Length; i++)
        {
            ReadOnlySpan<float> row = output.LogitsAt(i);
            double most = row[0];
            foreach (float value in row)
            {
                most = Math.Max(most, value);
            }

            double total = 0;
            foreach (float value in row)
            {
                total += Math.Exp(value - most);
            }

            sum += row[ids[i + 1]] - most - Math.Log(total);
        }

        return sum;
    }

    private static string Shared(string path)
    {
        string? found = SharedFiles.Find(path.Split('/'));
        Assert.SkipWhen(found is null, $"{path} is in neither ../shared nor tests/assets.");
        return found!;
    }
}
