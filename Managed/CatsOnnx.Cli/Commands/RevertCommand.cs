// SPDX-License-Identifier: MIT
// cats revert: a rewritten folder in, the source graph out.
using System.CommandLine;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Commands;

internal static class RevertCommand
{
    public static Command Create()
    {
        Argument<string> model = Arguments.Model();
        Option<string> output = Arguments.Output("FOLDER", "The folder to make; it is absent or whole at any moment");
        Option<bool> overwrite = new("--overwrite") { Description = "Replace an existing folder once the new one is whole" };
        Command command = new("revert", "Gives back the model that was rewritten: nodes, names and weights") { model, output, overwrite };
        command.SetAction((parsed, cancellation) => Task.FromResult(RevertJob.Run(
            parsed.GetRequiredValue(model), parsed.GetRequiredValue(output), parsed.GetValue(overwrite), ToolOutput.Current, cancellation)));
        return command;
    }
}
