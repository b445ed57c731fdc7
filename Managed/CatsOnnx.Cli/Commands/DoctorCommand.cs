// SPDX-License-Identifier: MIT
// cats doctor: what is here to run sparse models with, what is missing, and what to do about it.
using System.CommandLine;
using CatsOnnx.Cli.Jobs.Doctor;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Commands;

internal static class DoctorCommand
{
    public static Command Create()
    {
        Argument<string?> model = new("MODEL") { Description = "A model folder or a .onnx file to look at too", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> noMeasure = new("--no-measure") { Description = "Leave out the measurement of the memory's speed (a second)" };
        Command command = new("doctor", "Looks at ONNX Runtime, the library, the GPUs and a model, and says what to do; exit code 2 with a problem") { model, noMeasure };
        DeviceOptions device = new(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(DoctorJob.Run(
            new DoctorRequest(parsed.GetValue(model), device.Read(parsed), !parsed.GetValue(noMeasure)), ToolOutput.Current, cancellation)));
        return command;
    }
}
