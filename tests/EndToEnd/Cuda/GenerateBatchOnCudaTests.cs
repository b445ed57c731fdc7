// SPDX-License-Identifier: MIT
// Batches of unequal length on a GPU: each sequence gets its own tokens, in every cache layout.
using CatsOnnx.Generation;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd.Cuda;

[Trait("Device", "cuda")]
public sealed class GenerateBatchOnCudaTests(ITestOutputHelper output)
{
    private static readonly string[] s_prompts =
    [
        "Once upon a time there was a young man who",
        "The",
        string.Concat(Enumerable.Repeat("The captain looked at the sea and said nothing. ", 30)),
        "The old house on the hill was dark, and nobody had lived in it for years.",
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // In float32 as alone. In float16 products of several rows may round another way, so that a near tie falls otherwise:
    // there the tokens are those of alone for a while.
    [Theory]
    [InlineData("optimum-fp32", CacheLayout.Auto, true)]
    [InlineData("genai-fp32-cpu", CacheLayout.Growing, true)]
    [InlineData("demo", CacheLayout.Auto, false)]
    [InlineData("demo", CacheLayout.Growing, false)]
    public void Each_sequence_gets_its_own_tokens(string export, CacheLayout layout, bool exact)
    {
        Gpu.Need();

        ModelFolder? folder = export == "demo" ? ModelFolder.Open(CliTool.DemoModel) : TrainedModels.Find("llama-3m/" + export);
        Assert.True(folder is not null || !CudaMachine.IsRequired, $"../shared/models/llama-3m/{export} is absent");
        Assert.SkipWhen(folder is null, $"../shared/models/llama-3m/{export} is absent");
        using ModelSession session = ModelSession.Open(
            folder, new ModelSessionOptions { Device = Device.Cuda(), CudaProviderOptions = new Dictionary<string, string> { ["use_tf32"] = "0" } });
        TextTokenizer tokenizer = folder.LoadTokenizer();
        using TokenGenerator generator = new(session, tokenizer, new TokenGeneratorOptions { CacheLayout = layout });
        int[] tokens = [40, 1, 25, 60];
        BatchPrompt[] prompts = [.. s_prompts.Select((prompt, i) => new BatchPrompt(
            tokenizer.Encode(prompt, addSpecialTokens: true), new GenerationOptions { MaxNewTokens = tokens[i], StopTokens = [] }))];

        // Twice, with a request of one between: the captured graph of single sequences and batches leave each other alone.
        for (int round = 0; round < 2; round++)
        {
            BatchResult batch = generator.GenerateBatch(prompts, null, Token);
            Assert.Equal(1, batch.Groups);
            for (int i = 0; i < prompts.Length; i++)
            {
                IReadOnlyList<int> alone = generator.Generate(prompts[i].Ids, prompts[i].Options, null, Token).Ids;
                int equal = alone.Zip(batch[i].Ids).TakeWhile(pair => pair.First == pair.Second).Count();
                output.WriteLine($"{export}, {layout}, prompt {i}: {equal} of {alone.Count} tokens equal");
                Assert.Equal(tokens[i], batch[i].Ids.Count);
                Assert.True(equal == alone.Count || (!exact && equal >= Math.Min(10, alone.Count)), $"prompt {i}: {equal} of {alone.Count}");
            }
        }
    }
}
