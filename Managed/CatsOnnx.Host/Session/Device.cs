// SPDX-License-Identifier: MIT
// Where a session runs: the CPU, or a GPU by index.
using System.Globalization;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Session;

/// <summary>A device that ONNX Runtime runs on.</summary>
/// <param name="Kind">"cpu" or "cuda".</param>
/// <param name="Index">Which one of them, from 0.</param>
public readonly record struct Device(string Kind, int Index)
{
    /// <summary>The CPU.</summary>
    public static Device Cpu { get; } = new("cpu", 0);

    /// <summary>Whether this is the CPU.</summary>
    public bool IsCpu => Kind is null or "cpu";

    /// <summary>A CUDA GPU.</summary>
    public static Device Cuda(int index = 0) => index >= 0
        ? new("cuda", index)
        : throw new ArgumentOutOfRangeException(nameof(index), index, "A GPU's index is 0 or more.");

    /// <summary>Reads "cpu", "cuda" or "cuda:1".</summary>
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

    /// <summary>Adds the execution provider to session options (ONNX Runtime always has the CPU's).</summary>
    /// <exception cref="NotSupportedException">The application's ONNX Runtime was built without it.</exception>
    internal void AddTo(SessionOptions options)
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

        options.AppendExecutionProvider_CUDA(Index);
    }
}
