// SPDX-License-Identifier: MIT
// cats make-model: a model of a known shape with random weights, so that nobody needs weights to measure.
using System.CommandLine;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter.Synthesis;

namespace CatsOnnx.Cli.Commands;

internal static class MakeModelCommand
{
    internal static readonly string[] Dtypes = ["fp32", "fp16", "bf16"];

    public static Command Create()
    {
        Option<string?> shape = Arguments.Choice("--shape", "Whose sizes the model has", [.. DecoderShape.All.Select(known => known.Name)]);
        shape.Required = true;
        Option<string?> dtype = Arguments.Choice("--dtype", "Type of the weights; default fp32", Dtypes);
        Option<ulong?> seed = new("--seed") { Description = "Equal seeds give equal bytes; default 1", HelpName = "N" };
        Option<string> output = Arguments.Output("FOLDER", "The folder to make; it is absent or whole at any moment");
        Option<bool> overwrite = new("--overwrite") { Description = "Replace an existing folder once the new one is whole" };
        Command command = new("make-model", "Writes a model of a known shape with random weights, in GenAI's layout") { shape, dtype, seed, output, overwrite };
        command.SetAction((parsed, cancellation) => Task.FromResult(MakeModelJob.Run(
            DecoderShape.Named(parsed.GetRequiredValue(shape)!),
            (DecoderDtype)Array.IndexOf(Dtypes, parsed.GetValue(dtype) ?? Dtypes[0]),
            parsed.GetValue(seed) ?? 1,
            parsed.GetRequiredValue(output),
            parsed.GetValue(overwrite),
            ToolOutput.Current,
            cancellation)));
        return command;
    }
}
