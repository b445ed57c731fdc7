// SPDX-License-Identifier: MIT
// cats inspect: which MLPs of a model can be rewritten, which were, and why the others cannot.
using System.CommandLine;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter;

namespace CatsOnnx.Cli.Commands;

internal static class InspectCommand
{
    public static Command Create()
    {
        Argument<string> model = Arguments.Model();
        Command command = new("inspect", "Lists a model's gated MLPs: fusable, fused already, or refused with the reason") { model };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(model), ToolOutput.Current));
        return command;
    }

    private static int Run(string model, ToolOutput output)
    {
        RewriteReport report = ModelRewriter.Inspect(ModelInput.Open(model).Graph);
        output.Result(ReportDocument.Of(report));
        ReportDocument.Print(report, output);
        if (report.Fusable > 0)
        {
            output.Note($"next: cats rewrite {model} -o FOLDER --text FILE --sparsity 0.5");
        }

        return ExitCode.Done;
    }
}
