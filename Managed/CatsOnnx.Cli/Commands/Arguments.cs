// SPDX-License-Identifier: MIT
// Arguments and options that several verbs take, with the ranges they accept.
using System.CommandLine;

namespace CatsOnnx.Cli.Commands;

internal static class Arguments
{
    public static Argument<string> Model() => new("MODEL") { Description = "A model folder or a .onnx file" };

    public static Option<string> Output(string name, string description) =>
        new("-o", "--output") { Description = description, HelpName = name, Required = true };

    public static Option<string[]> Text(string description) => new("--text")
    {
        Description = description,
        HelpName = "FILE...",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = true,
    };

    public static Option<string?> Tokenizer() => new("--tokenizer")
    {
        Description = "A tokenizer.model or tokenizer.json, or a folder with one; default: the model's own",
        HelpName = "PATH",
    };

    public static Option<double?> Sparsity(string description)
    {
        Option<double?> option = new("--sparsity") { Description = description, HelpName = "0..1" };
        option.Validators.Add(result =>
        {
            if (result.Errors.Any())
            {
                return;
            }

            if (result.GetValueOrDefault<double?>() is { } value && !(value >= 0 && value < 1))
            {
                result.AddError(FormattableString.Invariant($"--sparsity is {value}; it must be at least 0 and below 1 (0.5 is 50%)"));
            }
        });
        return option;
    }

    public static Option<string?> Choice(string name, string description, params string[] choices)
    {
        Option<string?> option = new(name) { Description = description, HelpName = string.Join('|', choices) };
        option.Validators.Add(result =>
        {
            string? value = result.GetValueOrDefault<string?>();
            if (value is not null && !choices.Contains(value))
            {
                result.AddError($"{name} is '{value}'; it must be one of {string.Join(", ", choices)}");
            }
        });
        return option;
    }

    public static Option<string?> Method() => Choice("--method", "One threshold per layer (CATS) or one per neuron; default layer", "layer", "neuron");

    public static Option<int?> MaxTokens(string description) => AtLeast("--max-tokens", description, 512);

    public static Option<int?> AtLeast(string name, string description, int least)
    {
        Option<int?> option = new(name) { Description = description, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValueOrDefault<int?>() is { } value && value < least)
            {
                result.AddError($"{name} is {value}; it must be {least} or more");
            }
        });
        return option;
    }

    public static Option<double?> Limit(string name, string description, double least)
    {
        Option<double?> option = new(name) { Description = description, HelpName = "X" };
        option.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValueOrDefault<double?>() is { } value && !(value >= least && double.IsFinite(value)))
            {
                result.AddError(FormattableString.Invariant($"{name} is {value}; it must be a number, {least} or more"));
            }
        });
        return option;
    }
}
