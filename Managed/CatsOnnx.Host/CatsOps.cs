// SPDX-License-Identifier: MIT
// The one line that an application adds: options.RegisterCats().
using System.Runtime.CompilerServices;
using CatsOnnx.Native;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx;

/// <summary>Brings the ai.cats operators into ONNX Runtime.</summary>
public static class CatsOps
{
    /// <summary>The operators' domain.</summary>
    public const string Domain = "ai.cats";

    private static readonly ConditionalWeakTable<SessionOptions, object> s_registered = [];
    private static readonly Lock s_lock = new();
    private static bool s_domainKnown;

    /// <summary>The full path of the native library. CATS_ONNX_LIBRARY is looked at first, then
    /// runtimes/&lt;rid&gt;/native and the folder itself, of this assembly and of the application.</summary>
    /// <returns>A file that is there; it is not loaded yet.</returns>
    /// <exception cref="DllNotFoundException">It is nowhere; the message lists every place looked in.</exception>
    public static string GetLibraryPath() => CustomOpLibrary.FindPath();

    /// <summary>Registers the ai.cats operators in session options. A second call for the same options does nothing.</summary>
    /// <param name="options">The options that sessions will be made with.</param>
    /// <returns>The same options.</returns>
    /// <exception cref="DllNotFoundException">The native library is nowhere; the message lists every place looked in.</exception>
    /// <exception cref="InvalidOperationException">The library cannot be loaded, or refuses this version of ONNX Runtime.</exception>
    public static SessionOptions RegisterCats(this SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        lock (s_lock)
        {
            // Adding a domain twice to one options object makes ONNX Runtime fail when a session is made.
            if (s_registered.TryGetValue(options, out _))
            {
                return options;
            }

            string path = CustomOpLibrary.FindPath();
            try
            {
                // The handle is never freed: sessions use the library's code until the process ends.
                options.RegisterCustomOpLibraryV2(path, out _);
            }
            catch (OnnxRuntimeException error)
            {
                throw new InvalidOperationException(
                    $"'{path}' cannot be registered in ONNX Runtime {OrtEnv.Instance().GetVersionString()}: {error.Message}", error);
            }

            s_domainKnown = s_domainKnown || FirstSession.Open(path);
            s_registered.Add(options, path);
            return options;
        }
    }

    /// <summary>What the native library says of itself: version, operators, kernels; a JSON document.</summary>
    /// <exception cref="DllNotFoundException">The native library is nowhere; the message lists every place looked in.</exception>
    public static string Describe() => CustomOpLibrary.Describe();
}
