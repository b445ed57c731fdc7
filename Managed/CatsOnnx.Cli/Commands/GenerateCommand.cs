// SPDX-License-Identifier: MIT
// cats generate: greedy text from a prompt, or from several at once, with tokens per second and the sparsity that was met.
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
        Option<string[]> prompts = new("--prompt")
        {
            Description = "The text to continue; given several times: as many texts at once",
            HelpName = "TEXT",
            Arity = ArgumentArity.OneOrMore,
            Required = true,
        };
        Option<int?> newTokens = Arguments.AtLeast("--max-new-tokens", $"Tokens to generate at most; default {DefaultNewTokens}", 1);
        Option<bool> ids = new("--ids") { Description = "Also print the generated token ids" };
        Option<string?> tokenizer = Arguments.Tokenizer();
        Command command = new("generate", "Continues a prompt, greedily") { model, prompts, newTokens, ids, tokenizer };
        DialOptions dial = new(command, "Multiplies the thresholds: 0 is dense, default 1");
        DeviceOptions device = new(command);
        command.SetAction((parsed, cancellation) =>
        {
            string[] texts = parsed.GetRequiredValue(prompts);
            GenerateRequest request = new()
            {
                Model = parsed.GetRequiredValue(model),
                Prompt = texts[0],
                Generation = dial.Read(parsed) with { MaxNewTokens = parsed.GetValue(newTokens) ?? DefaultNewTokens },
                Ids = parsed.GetValue(ids),
                Tokenizer = parsed.GetValue(tokenizer),
                Placement = device.Read(parsed),
            };
            if (texts.Length > 1 && request.Generation.DenseProbeEvery > 0)
            {
                throw new UsageException($"--dense-probe-every takes one --prompt, and {texts.Length} were given: batches are not probed.");
            }

            return Task.FromResult(texts.Length == 1
                ? GenerateJob.Run(request, ToolOutput.Current, cancellation)
                : GenerateBatchJob.Run(request, texts, ToolOutput.Current, cancellation));
        });
        return command;
    }
}
