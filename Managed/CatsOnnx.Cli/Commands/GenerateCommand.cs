// SPDX-License-Identifier: MIT
// cats generate: greedy text from a prompt, with tokens per second and the sparsity that was met.
using System.CommandLine;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Commands;

internal static class GenerateCommand
{
    private const int DefaultNewTokens = 128;

    public static Command Create()
    {
        Argument<string> model = Arguments.Model();
        Option<string> prompt = new("--prompt") { Description = "The text to continue", HelpName = "TEXT", Required = true };
        Option<int?> newTokens = Arguments.AtLeast("--max-new-tokens", $"Tokens to generate at most; default {DefaultNewTokens}", 1);
        Option<bool> ids = new("--ids") { Description = "Also print the generated token ids" };
        Option<double?> scale = Arguments.Limit("--threshold-scale", "Multiplies the thresholds: 0 is dense, default 1");
        Option<string?> tokenizer = Arguments.Tokenizer();
        Command command = new("generate", "Continues a prompt, greedily") { model, prompt, newTokens, ids, scale, tokenizer };
        DeviceOptions device = new(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(GenerateJob.Run(
            new GenerateRequest
            {
                Model = parsed.GetRequiredValue(model),
                Prompt = parsed.GetRequiredValue(prompt),
                MaxNewTokens = parsed.GetValue(newTokens) ?? DefaultNewTokens,
                Ids = parsed.GetValue(ids),
                ThresholdScale = parsed.GetValue(scale),
                Tokenizer = parsed.GetValue(tokenizer),
                Placement = device.Read(parsed),
            },
            ToolOutput.Current,
            cancellation)));
        return command;
    }
}
