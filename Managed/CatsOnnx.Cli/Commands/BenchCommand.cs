// SPDX-License-Identifier: MIT
// cats bench: a model dense and sparse in one run, on the device that it will run on.
using System.CommandLine;
using System.Globalization;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.GraphRewriter.Synthesis;

namespace CatsOnnx.Cli.Commands;

internal static class BenchCommand
{
    public static Command Create()
    {
        Argument<string?> model = new("MODEL") { Description = "A dense model folder or .onnx file; or give --shape", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> shape = Arguments.Choice("--shape", "Make a model of these sizes with random weights", [.. DecoderShape.All.Select(known => known.Name)]);
        Option<string?> dtype = Arguments.Choice("--dtype", "With --shape: type of the weights; default fp32 on the CPU, fp16 on a GPU", MakeModelCommand.Dtypes);
        Option<string[]> text = Arguments.Text("With MODEL: text to calibrate on; default random tokens");
        Option<string[]> sparsity = Many("--sparsity", "Shares of neurons to skip; default 0.5", "S...");
        Option<string[]> rows = Many("--rows", "Sequences decoded together; default 1", "N...");
        Option<string[]> prefill = Many("--prefill", "Lengths of prompts to time; default none", "N...");
        Option<int?> context = Arguments.AtLeast("--context", "Tokens before the first timed one; default 512 on a GPU, 32 on the CPU", 1);
        Option<int?> steps = Arguments.AtLeast("--steps", "Tokens to time; default 64", 1);
        Option<bool> unfused = new("--no-fused-norms") { Description = "On a GPU: the norms before the sparse MLPs stay nodes of their own" };
        Option<string?> work = new("--work") { Description = "Folder for the models (three times the weights' bytes); default the system's temporary one", HelpName = "FOLDER" };
        Command command = new("bench", "Times a model dense and sparse in one run: tokens, MLPs, share of the memory's speed")
        {
            model, shape, dtype, text, sparsity, rows, prefill, context, steps, unfused, work,
        };
        DeviceOptions device = new(command);
        command.Validators.Add(result =>
        {
            bool named = result.GetResult(model)?.Tokens.Count > 0;
            if (named == (result.GetResult(shape) is not null))
            {
                result.AddError(named ? "MODEL and --shape exclude each other" : "give MODEL, or --shape NAME to make one");
            }
            else if (named && result.GetResult(dtype) is not null)
            {
                result.AddError("--dtype goes with --shape; MODEL has its own");
            }
        });
        command.SetAction((parsed, cancellation) =>
        {
            Placement placement = device.Read(parsed);
            string type = parsed.GetValue(dtype) ?? (placement.Device.IsCpu ? "fp32" : "fp16");
            return Task.FromResult(BenchJob.Run(
                new BenchRequest
                {
                    Model = parsed.GetValue(model),
                    Shape = parsed.GetValue(shape) is { } name ? DecoderShape.Named(name) : null,
                    Dtype = (DecoderDtype)Array.IndexOf(MakeModelCommand.Dtypes, type),
                    Texts = parsed.GetValue(text) ?? [],
                    Sparsities = Numbers(parsed.GetValue(sparsity), "--sparsity", [.5], value => value is >= 0 and < 1, "at least 0 and below 1"),
                    Rows = Whole(parsed.GetValue(rows), "--rows", [1]),
                    Prefill = Whole(parsed.GetValue(prefill), "--prefill", []),
                    Context = parsed.GetValue(context) ?? (placement.Device.IsCpu ? 32 : 512),
                    Steps = parsed.GetValue(steps) ?? 64,
                    FuseNorms = parsed.GetValue(unfused) ? false : null,
                    Work = parsed.GetValue(work),
                    Placement = placement,
                },
                ToolOutput.Current,
                cancellation));
        });
        return command;
    }

    private static Option<string[]> Many(string name, string description, string help) => new(name)
    {
        Description = description,
        HelpName = help,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = true,
    };

    private static double[] Numbers(string[]? texts, string name, double[] none, Func<double, bool> accepts, string words) =>
        texts is null or [] ? none : [.. texts.Select(text =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && accepts(value)
                ? value
                : throw new UsageException($"{name} is '{text}'; it must be a number, {words}."))];

    private static int[] Whole(string[]? texts, string name, int[] none) =>
        [.. Numbers(texts, name, [.. none.Select(value => (double)value)], value => value is >= 1 and <= 1 << 20 && value == Math.Floor(value), "whole, 1 or more").Select(value => (int)value)];
}
