// SPDX-License-Identifier: MIT
// Where a session runs: the CPU, or a GPU by index.
using System.Globalization;
using CatsOnnx.Native;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Session;

/// <summary>A device that ONNX Runtime runs on.</summary>
/// <param name="Kind">"cpu" or "cuda".</param>
/// <param name="Index">Which one of them, from 0.</param>
public readonly record struct Device(string Kind, int Index)
{
    // Bits of ONNX Runtime's attention kernels: Flash 1, memory-efficient 2, unfused 16; its cuDNN bit, 8, is left out. On compute
    // capability 9.0 and newer ONNX Runtime prefers cuDNN's attention, which gives one of two results by chance once a context passes
    // 64 tokens (H100: the same request, the same cache, other logits from the 65th position on); Flash gives the same bits every time.
    // https://github.com/microsoft/onnxruntime/blob/main/docs/contrib_ops/cuda/gqa.md, section 9; XQA is no part of these bits.
    private const string RepeatableAttention = "19";

    /// <summary>The CPU.</summary>
    public static Device Cpu { get; } = new("cpu", 0);

    /// <summary>Whether this is the CPU.</summary>
    public bool IsCpu => Kind is null or "cpu";

    /// <summary>A CUDA GPU.</summary>
    /// <param name="index">Which, counted as CUDA counts (CUDA_VISIBLE_DEVICES); 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">The index is negative.</exception>
    public static Device Cuda(int index = 0) => index >= 0
        ? new("cuda", index)
        : throw new ArgumentOutOfRangeException(nameof(index), index, "A GPU's index is 0 or more.");

    /// <summary>Reads "cpu", "cuda" or "cuda:1".</summary>
    /// <param name="text">A device in the words of <c>--device</c>.</param>
    /// <returns>"cuda" is the first GPU, index 0.</returns>
    /// <exception cref="FormatException">The text is none of these.</exception>
    public static Device Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text == "cpu")
        {
            return Cpu;
        }

        if (text == "cuda")
        {
            return Cuda();
        }

        return text.StartsWith("cuda:", StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            ? Cuda(index)
            : throw new FormatException($"Device '{text}' must be cpu, cuda or cuda:N.");
    }

    /// <inheritdoc/>
    public override string ToString() => IsCpu ? "cpu" : $"{Kind}:{Index}";

    /// <summary>A GPU's name, as "NVIDIA H200"; null for the CPU.</summary>
    /// <exception cref="NotSupportedException">There is no such GPU, or no driver that serves.</exception>
    public string? Name() => IsCpu ? null : CudaDriver.Instance.DeviceName(Index);

    /// <summary>Bytes of a GPU's memory that are free; null for the CPU.</summary>
    /// <exception cref="NotSupportedException">There is no such GPU, or no driver that serves.</exception>
    public long? FreeMemory() => IsCpu ? null : CudaDriver.Instance.FreeMemory(Index);

    /// <summary>Fails where ONNX Runtime has no provider for the device.</summary>
    /// <exception cref="NotSupportedException">The application's ONNX Runtime was built without it.</exception>
    internal void RequireProvider()
    {
        if (IsCpu)
        {
            return;
        }

        string[] available = OrtEnv.Instance().GetAvailableProviders();
        if (Kind != "cuda" || !available.Contains("CUDAExecutionProvider"))
        {
            throw new NotSupportedException($"Device {this} needs CUDAExecutionProvider, but this ONNX Runtime has only {string.Join(", ", available)}. "
                + "Reference Microsoft.ML.OnnxRuntime.Gpu (MSBuild property CatsOrt=Gpu in this repository).");
        }
    }

    /// <summary>Adds the CUDA provider to session options (ONNX Runtime always has the CPU's).</summary>
    /// <param name="options">The session's options.</param>
    /// <param name="stream">The stream that runs go into.</param>
    /// <param name="graph">Whether runs may be captured as CUDA graphs.</param>
    /// <param name="more">Options of the provider by name, which go before ours.</param>
    /// <exception cref="NotSupportedException">The provider cannot be loaded.</exception>
    internal void AddCudaTo(SessionOptions options, nint stream, bool graph, IReadOnlyDictionary<string, string> more)
    {
        Dictionary<string, string> values = new(StringComparer.Ordinal)
        {
            ["device_id"] = Index.ToString(CultureInfo.InvariantCulture),
            ["has_user_compute_stream"] = "1", // without it ONNX Runtime takes the default stream
            ["user_compute_stream"] = stream.ToString(CultureInfo.InvariantCulture),
            ["enable_cuda_graph"] = graph ? "1" : "0",
            ["arena_extend_strategy"] = "kSameAsRequested", // weights fill a GPU; doubling arenas do not fit beside them
            ["sdpa_kernel"] = RepeatableAttention,
        };
        foreach ((string name, string value) in more)
        {
            values[name] = value;
        }

        try
        {
            using OrtCUDAProviderOptions provider = new();
            provider.UpdateOptions(values);
            options.AppendExecutionProvider_CUDA(provider);
        }
        catch (OnnxRuntimeException error)
        {
            throw new NotSupportedException($"ONNX Runtime {OrtEnv.Instance().GetVersionString()} cannot use {this}: {error.Message} "
                + "Its CUDA provider needs the libraries of CUDA 13 (libcudart, libcublas, libcufft, libcurand) and cuDNN 9 where the loader finds them, as by LD_LIBRARY_PATH.", error);
        }
    }
}
