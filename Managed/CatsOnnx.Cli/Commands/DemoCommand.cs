// SPDX-License-Identifier: MIT
// cats demo: the whole road in about a minute, on the model that ships with the tool.
using System.CommandLine;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Commands;

internal static class DemoCommand
{
    public static Command Create()
    {
        Command command = new("demo", "Rewrites the demo model at 50%, compares text, perplexity and sparsity, and times a large MLP");
        DeviceOptions device = new(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(DemoJob.Run(device.Read(parsed), ToolOutput.Current, cancellation)));
        return command;
    }
}
