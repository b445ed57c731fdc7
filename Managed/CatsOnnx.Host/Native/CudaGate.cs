// SPDX-License-Identifier: MIT
// While ONNX Runtime captures a CUDA graph, a call that allocates GPU memory on any other thread of the process breaks the
// capture (it captures in CUDA's global mode). So captures are alone among all that this library does on GPUs.
namespace CatsOnnx.Native;

/// <summary>Lets everything that uses a GPU run at once, except captures.</summary>
internal static class CudaGate
{
    private static readonly ReaderWriterLockSlim s_lock = new(LockRecursionPolicy.SupportsRecursion);

    /// <summary>Waits until no graph is captured, and keeps it so.</summary>
    public static Pass Share()
    {
        s_lock.EnterReadLock();
        return new Pass(alone: false);
    }

    /// <summary>Waits until nothing else uses a GPU, and keeps it so.</summary>
    public static Pass Alone()
    {
        s_lock.EnterWriteLock();
        return new Pass(alone: true);
    }

    /// <summary>What is held until it is disposed, on the same thread.</summary>
    internal readonly struct Pass(bool alone) : IDisposable
    {
        public void Dispose()
        {
            if (alone)
            {
                s_lock.ExitWriteLock();
            }
            else
            {
                s_lock.ExitReadLock();
            }
        }
    }
}
