// SPDX-License-Identifier: MIT
// From a rewritten folder back to the source graph.
using System.Diagnostics;
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Output;
using CatsOnnx.Session;

namespace CatsOnnx.Cli.Jobs;

internal static class RevertJob
{
    public static int Run(string modelPath, string folder, bool overwrite, ToolOutput output, CancellationToken cancellation)
    {
        ModelInput input = ModelInput.Open(modelPath);
        OutputFolder.RequireApart(input.Folder.Root, folder);
        OutputFolder.RequireFree(folder, overwrite);
        long start = Stopwatch.GetTimestamp();
        RewriteReport report;
        try
        {
            report = ModelRewriter.Revert(input.Graph);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{input.Folder.ModelPath}: {error.Message} Only what `cats rewrite` wrote can be reverted.", error);
        }

        RewrittenFolder target = new()
        {
            Source = input.Folder.Layout == ModelLayout.Bare ? input.Folder.ModelPath : input.Folder.Root,
            Model = input.Graph,
            Target = folder,
            Overwrite = overwrite,
        };
        RewrittenFolder.Written written = ProgressBar.Run("writing", "MB", 1e6, progress => target.Write(ProgressForwarding.For(progress), cancellation));
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        output.Line($"{Path.GetFullPath(folder)}: the source graph with {report.Fusable} fusable MLPs, {Quantity.Bytes(written.Files.Sum(file => file.Length))} in {Quantity.Seconds(time)}");
        JsonObject document = ReportDocument.Of(report);
        document["folder"] = Path.GetFullPath(folder);
        document["seconds"] = time.TotalSeconds;
        output.Result(document);
        return ExitCode.Done;
    }
}
