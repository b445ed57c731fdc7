// SPDX-License-Identifier: MIT
// --device and --strict, which every verb takes that runs a model.
using System.CommandLine;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Session;

namespace CatsOnnx.Cli.Commands;

internal sealed class DeviceOptions
{
    private readonly Option<string?> _device = new("--device") { Description = "Where the model runs: cpu (default), cuda, or cuda:N", HelpName = "cpu|cuda[:n]" };
    private readonly Option<bool> _strict = new("--strict") { Description = "On a GPU: fail where any node of the model would run on the CPU" };

    public DeviceOptions(Command command)
    {
        _device.CompletionSources.Add("cpu", "cuda");
        command.Add(_device);
        command.Add(_strict);
    }

    /// <exception cref="UsageException">The device is none.</exception>
    public Placement Read(ParseResult parsed)
    {
        string text = parsed.GetValue(_device) ?? "cpu";
        bool strict = parsed.GetValue(_strict);
        try
        {
            return new Placement(Device.Parse(text), strict);
        }
        catch (FormatException)
        {
            throw new UsageException($"--device is '{text}'; it must be cpu, cuda or cuda:N.");
        }
    }
}
