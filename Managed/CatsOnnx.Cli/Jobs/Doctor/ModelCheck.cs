// SPDX-License-Identifier: MIT
// A model: its files, its MLPs, and the versions that rewrote it against the library's.
using System.Text.Json.Nodes;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.Cli.Jobs.Doctor;

internal static class ModelCheck
{
    /// <summary>Opens a model's files and reads its graph; null where that cannot be.</summary>
    /// <param name="path">The MODEL argument.</param>
    /// <param name="document">Gets what was found.</param>
    public static ModelInput? Files(string path, Findings findings, JsonObject document)
    {
        document["path"] = path;
        ModelInput input;
        try
        {
            input = ModelInput.Open(path);
        }
        catch (Exception error) when (error is IOException or InvalidDataException or InvalidModelException or UnauthorizedAccessException or ArgumentException)
        {
            findings.Problem("model", $"{error.Message}", "give a model folder or a .onnx file, whole and readable; export or copy it again where it is damaged");
            return null;
        }

        document["path"] = input.Folder.ModelPath;
        document["layout"] = input.Folder.Layout.ToString();
        findings.Ok("model", $"{input.Folder.ModelPath}, layout {input.Folder.Layout}");
        return input;
    }

    /// <summary>Counts its MLPs and their types.</summary>
    /// <returns>Whether any of them is sparse.</returns>
    public static bool Mlps(ModelInput input, Findings findings, JsonObject document)
    {
        RewriteReport report;
        try
        {
            report = ModelRewriter.Inspect(input.Graph);
        }
        catch (Exception error) when (error is InvalidDataException or InvalidModelException)
        {
            findings.Problem("mlps", $"{error.Message}", "rewrite the source model again");
            return false;
        }

        string[] dtypes = [.. report.Mlps.Select(mlp => mlp.Dtype).OfType<string>().Distinct()];
        document["dtypes"] = new JsonArray([.. dtypes.Select(dtype => (JsonNode)dtype)]);
        document["fusable"] = report.Fusable;
        document["fused"] = report.Fused;
        document["refused"] = report.Refused;
        string types = dtypes.Length > 0 ? $", {string.Join(" and ", dtypes)}" : "";
        FormattableString counts = $"{report.Fusable} fusable, {report.Fused} fused, {report.Refused} refused{types}";
        string path = input.Folder.Root;
        if (report.Fusable + report.Fused == 0)
        {
            findings.Problem("mlps", counts, $"`cats inspect {path}` says why each was refused; none of them is sparse or can become it");
        }
        else if (report.Fused == 0)
        {
            findings.Note("mlps", counts, $"the model is dense; make it sparse: cats rewrite {path} -o FOLDER --text FILE --sparsity 0.5");
        }
        else
        {
            findings.Ok("mlps", counts);
        }

        foreach (MlpReport mlp in report.Mlps.Where(mlp => mlp.Status == MlpStatus.Refused))
        {
            findings.Note("mlps", $"{mlp.Name} stays dense: {mlp.Reason}{(mlp.Node is { Length: > 0 } node ? $" (node {node})" : "")}");
        }

        return report.Fused > 0;
    }

    /// <summary>What rewrote the model, and whether the library runs it.</summary>
    public static void Versions(ModelInput input, LibraryDescription? library, Findings findings, JsonObject document)
    {
        ModelProto model = input.Graph.Proto;
        string? written = Entry(model, "cats.library_version");
        document["library_version"] = written;
        document["tool_version"] = Entry(model, "cats.tool_version");
        document["method"] = Entry(model, "cats.method");
        document["target_sparsity"] = Entry(model, "cats.target_sparsity");
        long? opset = model.OpsetImport.FirstOrDefault(import => import.Domain == CatsOps.Domain)?.Version;
        document["opset"] = opset;
        if (library is not null && opset > library.Opset)
        {
            findings.Problem("versions", $"the model uses ai.cats {opset}, the library knows up to {library.Opset}", "use a newer libcats_onnx, or rewrite the model with this tool");
        }

        if (written is null)
        {
            findings.Note("versions", $"the model does not say which version rewrote it");
        }
        else if (library is null || !Version.TryParse(written, out Version? then) || !Version.TryParse(library.Version, out Version? now))
        {
            findings.Note("versions", $"the model was rewritten with version {written}; the library's is {library?.Version ?? "not known"}");
        }
        else if (then > now)
        {
            findings.Problem("versions", $"the model was rewritten with version {written}, the library has {library.Version}", "use the newer library, or rewrite the model with this tool");
        }
        else
        {
            findings.Ok("versions", $"the model was rewritten with version {written}, the library has {library.Version}");
        }
    }

    private static string? Entry(ModelProto model, string key) => model.MetadataProps.FirstOrDefault(entry => entry.Key == key)?.Value;
}
