// SPDX-License-Identifier: MIT
// Looks at everything that a sparse model needs to run here, one check after another; none of them stops the others.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Jobs.Doctor;

/// <param name="Model">A model to look at too, or null.</param>
/// <param name="Placement">The device that is to serve.</param>
/// <param name="Measure">Whether the memory's speed is measured.</param>
internal sealed record DoctorRequest(string? Model, Placement Placement, bool Measure);

internal static class DoctorJob
{
    /// <returns>0 where there is no problem, 2 where there is one.</returns>
    public static int Run(DoctorRequest request, ToolOutput output, CancellationToken cancellation)
    {
        Findings findings = new(output);
        JsonObject? runtime = RuntimeCheck.OnnxRuntime(request.Placement.Device, findings);
        LibraryDescription? library = RuntimeCheck.Library(request.Placement.Device, runtime?["version"]?.GetValue<string>(), findings);
        JsonArray gpus = MachineCheck.Gpus(request.Placement.Device, findings);
        double? rate = MachineCheck.Memory(request.Placement.Device, request.Measure, findings);
        cancellation.ThrowIfCancellationRequested();
        JsonObject? model = request.Model is { } path ? Model(path, request.Placement, library, opens: runtime is not null, findings, cancellation) : null;
        output.Line(findings.Problems switch
        {
            0 => "no problem was found",
            1 => "1 problem was found",
            int problems => ToolOutput.Format($"{problems} problems were found"),
        });
        output.Result(new JsonObject
        {
            ["findings"] = findings.ToJson(),
            ["problems"] = findings.Problems,
            ["onnxruntime"] = runtime,
            ["library"] = library?.ToJson(),
            ["gpus"] = gpus,
            ["read_bytes_per_second"] = ToolOutput.Number(rate),
            ["model"] = model,
        });
        return findings.Problems == 0 ? ExitCode.Done : ExitCode.BadInput;
    }

    private static JsonObject Model(
        string path, Placement placement, LibraryDescription? library, bool opens, Findings findings, CancellationToken cancellation)
    {
        JsonObject document = [];
        if (ModelCheck.Files(path, findings, document) is not { } input)
        {
            return document;
        }

        bool sparse = ModelCheck.Mlps(input, findings, document);
        if (sparse)
        {
            ModelCheck.Versions(input, library, findings, document);
            ManifestCheck.Run(input.Folder.Root, library?.Path, findings, document, cancellation);
        }

        cancellation.ThrowIfCancellationRequested();
        if (opens)
        {
            SessionCheck.Run(input, sparse, placement, findings, document);
        }

        return document;
    }
}
