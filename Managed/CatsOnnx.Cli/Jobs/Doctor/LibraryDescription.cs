// SPDX-License-Identifier: MIT
// What the native library says of itself (CatsDescribeOps), as far as cats doctor reads it.
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CatsOnnx.Cli.Jobs.Doctor;

/// <param name="Path">The library's file.</param>
/// <param name="Version">Its version.</param>
/// <param name="Opset">The newest version of ai.cats that it runs.</param>
/// <param name="BuiltApi">The API of ONNX Runtime that it was built against: 31 is 1.31's.</param>
/// <param name="FloorApi">The oldest one that it runs with.</param>
/// <param name="Isa">The kernels chosen for this processor.</param>
/// <param name="IsaError">Why the ones that CATS_FORCE_ISA names are not there, or null.</param>
/// <param name="Isas">The kernels that this processor runs.</param>
/// <param name="CudaArchitectures">The CUDA architectures that it was built for, or null.</param>
internal sealed record LibraryDescription(
    string Path, string Version, int Opset, int BuiltApi, int FloorApi, string Isa, string? IsaError, IReadOnlyList<string> Isas, string? CudaArchitectures)
{
    /// <summary>Loads the library and asks it.</summary>
    /// <exception cref="DllNotFoundException">It is nowhere, or cannot be loaded.</exception>
    /// <exception cref="EntryPointNotFoundException">The file is another library.</exception>
    /// <exception cref="InvalidDataException">It is another version, which describes itself in another way.</exception>
    public static LibraryDescription Read()
    {
        string path = CatsOps.GetLibraryPath();
        try
        {
            using JsonDocument document = JsonDocument.Parse(CatsOps.Describe());
            JsonElement root = document.RootElement;
            return new LibraryDescription(
                path,
                root.GetProperty("version").GetString()!,
                root.GetProperty("opset").GetInt32(),
                root.GetProperty("built_api").GetInt32(),
                root.GetProperty("floor_api").GetInt32(),
                root.GetProperty("isa").GetString()!,
                root.GetProperty("isa_error").GetString(),
                [.. root.GetProperty("isas").EnumerateArray().Select(isa => isa.GetString()!)],
                root.GetProperty("cuda_architectures").GetString());
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvalidDataException($"'{path}' describes itself in a way that is not known here: {error.Message}", error);
        }
    }

    public JsonObject ToJson() => new()
    {
        ["path"] = Path,
        ["version"] = Version,
        ["opset"] = Opset,
        ["built_api"] = BuiltApi,
        ["floor_api"] = FloorApi,
        ["isa"] = Isa,
        ["isas"] = new JsonArray([.. Isas.Select(isa => (JsonNode)isa)]),
        ["cuda_architectures"] = CudaArchitectures,
    };
}
