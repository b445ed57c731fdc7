// SPDX-License-Identifier: MIT
// The native library for a platform, to be put beside a rewritten model.
using System.Runtime.InteropServices;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Jobs;

internal static class NativeLibrary
{
    public const string NoRid = "none";
    public const string DefaultRid = "linux-x64";

    /// <summary>The library's file; null for "none".</summary>
    /// <exception cref="UnsuitableInputException">This tool was built without it.</exception>
    public static string? Find(string rid)
    {
        if (rid == NoRid)
        {
            return null;
        }

        string name = rid.StartsWith("win", StringComparison.Ordinal) ? "cats_onnx.dll" : "libcats_onnx.so";
        string shipped = Path.Combine(AppContext.BaseDirectory, "runtimes", rid, "native", name);
        if (File.Exists(shipped))
        {
            return shipped;
        }

        return rid == RuntimeInformation.RuntimeIdentifier
            ? CatsOps.GetLibraryPath()
            : throw new UnsuitableInputException($"This tool brings no library for {rid} (looked for {shipped}); give --rid none and put it beside the model yourself.");
    }
}
