// SPDX-License-Identifier: MIT
// cats chat: a conversation with a model in the terminal, or from a script's lines.
using System.CommandLine;
using CatsOnnx.Cli.Jobs.Chat;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Generation;
using CatsOnnx.Sampling;

namespace CatsOnnx.Cli.Commands;

internal static class ChatCommand
{
    private const int DefaultNewTokens = 512;

    public static Command Create()
    {
        Argument<string> model = Arguments.Model();
        Option<string?> system = new("--system") { Description = "The message that a conversation begins with", HelpName = "TEXT" };
        Option<string?> tokenizer = Arguments.Tokenizer();
        Option<string?> template = new("--chat-template") { Description = "A chat template in Jinja; default: the model's own", HelpName = "FILE" };
        Option<bool> raw = new("--raw") { Description = "No template: lines and answers are one plain text, for models that know no conversations" };
        Option<double?> temperature = Arguments.Limit("--temperature", "Divides the logits: 0 takes the most likely token; default 0 without other sampling options, else 1");
        Option<double?> topP = Arguments.Probability("--top-p", "Draw from the most likely tokens that together have this probability");
        Option<int?> topK = Arguments.AtLeast("--top-k", "Draw from this many of the most likely tokens; 0 is all", 0);
        Option<long?> seed = new("--seed") { Description = "Equal seeds draw equal answers", HelpName = "N" };
        Option<int?> newTokens = Arguments.AtLeast("--max-new-tokens", $"Tokens of an answer at most; default {DefaultNewTokens}", 1);
        Command command = new("chat", "Holds a conversation; /dial changes the sparsity while it runs; with --json a line gives one JSON object as soon as it is answered")
        {
            model, system, tokenizer, template, raw, temperature, topP, topK, seed, newTokens,
        };
        DialOptions dial = new(command, "Multiplies the thresholds at first (/dial changes it): 0 is dense, default 1");
        DeviceOptions device = new(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(raw) is { Implicit: false })
            {
                foreach (Option option in (Option[])[template, system])
                {
                    if (result.GetResult(option) is not null)
                    {
                        result.AddError($"--raw and {option.Name} exclude each other: plain text has no roles");
                    }
                }
            }
        });
        command.SetAction((parsed, cancellation) =>
        {
            SamplingOptions sampling = new()
            {
                Temperature = (float)(parsed.GetValue(temperature) ?? 1),
                TopP = (float)(parsed.GetValue(topP) ?? 1),
                TopK = parsed.GetValue(topK) ?? 0,
                Seed = parsed.GetValue(seed),
            };
            bool drawn = parsed.GetValue(temperature) is not null || parsed.GetValue(topP) is not null
                || parsed.GetValue(topK) is not null || parsed.GetValue(seed) is not null;
            return ChatJob.Run(
                new ChatRequest
                {
                    Model = parsed.GetRequiredValue(model),
                    System = parsed.GetValue(system),
                    Tokenizer = parsed.GetValue(tokenizer),
                    ChatTemplate = parsed.GetValue(template),
                    Raw = parsed.GetValue(raw),
                    Generation = dial.Read(parsed) with
                    {
                        MaxNewTokens = parsed.GetValue(newTokens) ?? DefaultNewTokens,
                        Sampling = drawn ? sampling : null,
                        ReusePrefix = true,
                    },
                    Placement = device.Read(parsed),
                },
                ToolOutput.Current,
                cancellation);
        });
        return command;
    }
}
