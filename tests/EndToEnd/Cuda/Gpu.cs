// SPDX-License-Identifier: MIT
// What the tests of this folder begin with.
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;
using CatsOnnx.Tests.EndToEnd.Chat;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd.Cuda;

internal static class Gpu
{
    /// <summary>Skips the test where there is no GPU; with CATS_REQUIRE_CUDA=1 fails it.</summary>
    public static void Need()
    {
        if (CudaMachine.Lacks is { } reason)
        {
            Assert.False(CudaMachine.IsRequired, $"CATS_REQUIRE_CUDA=1, but {reason}");
            Assert.Skip($"no GPU: {reason}");
        }
    }

    /// <summary>The rewritten demo on the GPU with its counts of active neurons, where there is one.</summary>
    public static ModelSession OpenCountingDemo(TemporaryFolder folder, out TextTokenizer tokenizer, out TokenGeneratorOptions counting)
    {
        Need();
        ModelFolder sparse = RewrittenDemo.In(folder);
        tokenizer = sparse.LoadTokenizer();
        ModelSession session = ModelSession.OpenCounting(sparse, out IReadOnlyList<ActiveCount> counts, new ModelSessionOptions { Device = Device.Cuda() });
        counting = TokenGeneratorOptions.Counting(counts);
        return session;
    }
}
