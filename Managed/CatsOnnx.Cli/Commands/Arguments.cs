// SPDX-License-Identifier: MIT
// Arguments and options that several verbs take, with the ranges they accept.
using System.CommandLine;
using System.Globalization;

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

    public static Option<double?> Sparsity(string description) =>
        Number("--sparsity", description, "0..1", value => value is >= 0 and < 1, "at least 0 and below 1 (0.5 is 50%)");

    public static Option<string?> Choice(string name, string description, params string[] choices)
    {
        Option<string?> option = new(name) { Description = description, HelpName = string.Join('|', choices) };
        option.CompletionSources.Add(choices);
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

    public static Option<int?> AtLeast(string name, string description, int least) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= least)
            {
                return value;
            }

            result.AddError($"{name} is '{text}'; it must be a whole number, {least} or more");
            return null;
        },
    };

    public static Option<double?> Limit(string name, string description) =>
        Number(name, description, "X", value => value >= 0 && double.IsFinite(value), "0 or more");

    public static Option<double?> Probability(string name, string description) =>
        Number(name, description, "0..1", value => value is > 0 and <= 1, "above 0 and at most 1");

    private static Option<double?> Number(string name, string description, string range, Func<double, bool> accepts, string words) => new(name)
    {
        Description = description,
        HelpName = range,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && accepts(value))
            {
                return value;
            }

            result.AddError($"{name} is '{text}'; it must be a number, {words}");
            return null;
        },
    };
}
