// SPDX-License-Identifier: MIT
// The native library libcats_onnx: where it is looked for, and the functions of its C header that are called from here.
using System.Reflection;
using System.Runtime.InteropServices;

namespace CatsOnnx.Native;

/// <summary>Finds and loads the native library. It stays loaded until the process ends.</summary>
internal static class CustomOpLibrary
{
    /// <summary>An environment variable that names the library's file.</summary>
    public const string PathVariable = "CATS_ONNX_LIBRARY";

    private static readonly Lock s_lock = new();
    private static nint s_handle;
    private static IReadOnlySet<string>? s_cudaOps;

    /// <summary>The library's file name on this system.</summary>
    public static string FileName { get; } = OperatingSystem.IsWindows() ? "cats_onnx.dll"
        : OperatingSystem.IsMacOS() ? "libcats_onnx.dylib" : "libcats_onnx.so";

    /// <summary>The library's full path.</summary>
    /// <exception cref="DllNotFoundException">It is nowhere; the message lists every place looked in.</exception>
    public static string FindPath() => FindPath(Environment.GetEnvironmentVariable(PathVariable), [AssemblyFolder(), AppContext.BaseDirectory]);

    /// <summary>The same for a given value of the variable and given folders.</summary>
    internal static string FindPath(string? chosen, IReadOnlyList<string> roots)
    {
        if (!string.IsNullOrEmpty(chosen))
        {
            return File.Exists(chosen)
                ? Path.GetFullPath(chosen)
                : throw new DllNotFoundException($"{PathVariable} names '{chosen}', which is not there.");
        }

        List<string> looked = [];
        foreach (string folder in Folders(roots))
        {
            string path = Path.Combine(folder, FileName);
            if (File.Exists(path))
            {
                return path;
            }

            looked.Add(path);
        }

        throw new DllNotFoundException($"{FileName} was not found. Reference the package that brings it (or build CustomOp), or name the file in "
            + $"{PathVariable}. Looked in:{Environment.NewLine}  {string.Join(Environment.NewLine + "  ", looked)}");
    }

    /// <summary>The library's description of itself and its operators, a JSON document.</summary>
    /// <exception cref="DllNotFoundException">The library is not there or cannot be loaded.</exception>
    /// <exception cref="EntryPointNotFoundException">It is another version, without this function.</exception>
    public static unsafe string Describe()
    {
        nint function = NativeLibrary.GetExport(Load(), "CatsDescribeOps");
        byte* text = ((delegate* unmanaged[Cdecl]<byte*>)function)(); // null-terminated UTF-8, owned by the library
        return Marshal.PtrToStringUTF8((nint)text) ?? throw new InvalidOperationException($"CatsDescribeOps of '{FindPath()}' gave no text.");
    }

    /// <summary>Whether the library was built with CUDA; false where it is nowhere.</summary>
    public static bool HasCuda
    {
        get
        {
            if (!TryExport("CatsDescribeOps", out _))
            {
                return false;
            }

            using System.Text.Json.JsonDocument description = System.Text.Json.JsonDocument.Parse(Describe());
            return description.RootElement.TryGetProperty("cuda_architectures", out System.Text.Json.JsonElement architectures)
                && architectures.ValueKind == System.Text.Json.JsonValueKind.String;
        }
    }

    /// <summary>Whether the library has a CUDA kernel for an operator; false where it is nowhere. What it says is read once.</summary>
    /// <param name="op">The operator's name.</param>
    public static bool HasCudaKernel(string op)
    {
        if (s_cudaOps is null)
        {
            if (!TryExport("CatsDescribeOps", out _))
            {
                return false; // not kept: it may be there the next time
            }

            s_cudaOps = CudaOps(Describe());
        }

        return s_cudaOps.Contains(op);
    }

    /// <summary>The operators that have a CUDA kernel.</summary>
    /// <param name="description">What <see cref="Describe"/> gives.</param>
    internal static IReadOnlySet<string> CudaOps(string description)
    {
        using System.Text.Json.JsonDocument document = System.Text.Json.JsonDocument.Parse(description);
        return document.RootElement.GetProperty("ops").EnumerateArray()
            .Where(op => op.GetProperty("kernels").EnumerateArray().Any(kernel => kernel.GetProperty("device").GetString() == "cuda"))
            .Select(op => op.GetProperty("name").GetString()!)
            .ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>How many kernels ONNX Runtime made for a device (0 the CPU, 1 CUDA) on this thread; 0 where the library is
    /// nowhere or another version.</summary>
    public static unsafe long KernelsMade(int device) =>
        TryExport("CatsKernelsMade", out nint function) ? ((delegate* unmanaged[Cdecl]<int, long>)function)(device) : 0;

    /// <summary>A function of the library; false where the library is nowhere, or has no such function.</summary>
    public static bool TryExport(string name, out nint function)
    {
        try
        {
            return NativeLibrary.TryGetExport(Load(), name, out function);
        }
        catch (DllNotFoundException)
        {
            function = 0;
            return false;
        }
    }

    private static nint Load()
    {
        lock (s_lock)
        {
            if (s_handle == 0)
            {
                s_handle = NativeLibrary.Load(FindPath());
            }

            return s_handle;
        }
    }

    private static IEnumerable<string> Folders(IReadOnlyList<string> roots)
    {
        string runtime = Path.Combine("runtimes", RuntimeInformation.RuntimeIdentifier, "native");
        string portable = Path.Combine("runtimes", PortableIdentifier(), "native");
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (string root in roots)
        {
            if (root.Length == 0)
            {
                continue;
            }

            foreach (string below in (string[])[runtime, portable, ""])
            {
                string folder = Path.GetFullPath(Path.Combine(root, below));
                if (seen.Add(folder))
                {
                    yield return folder;
                }
            }
        }
    }

    // Empty in a single-file application, where the base directory serves.
    [System.Diagnostics.CodeAnalysis.UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "An empty location is handled.")]
    private static string AssemblyFolder()
    {
        string location = Assembly.GetExecutingAssembly().Location;
        return location.Length > 0 ? Path.GetDirectoryName(location)! : "";
    }

    private static string PortableIdentifier()
    {
        string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
    }
}
