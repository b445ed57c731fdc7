// SPDX-License-Identifier: MIT
// What every test of this folder begins with.
using CatsOnnx.Tests.Support;

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
}
