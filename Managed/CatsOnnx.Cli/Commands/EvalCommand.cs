// SPDX-License-Identifier: MIT
// cats eval: what sparsity costs on a text, alone or against another model. Limits make it a gate for scripts.
using System.CommandLine;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Commands;

internal static class EvalCommand
{
    public static Command Create()
    {
        Argument<string> model = Arguments.Model();
        Option<string[]> text = Arguments.Text("UTF-8 text to measure on; documents end with the line <|endoftext|>");
        text.Required = true;
        Option<string?> against = new("--against") { Description = "Another model of the same vocabulary, for KL and agreement", HelpName = "MODEL" };
        Option<double?> scale = Arguments.Limit("--threshold-scale", "Multiplies the thresholds: 0 is dense, default 1");
        Option<int?> maxTokens = Arguments.MaxTokens("Read only the first floor(N / 512) windows of 512 tokens");
        Option<string?> tokenizer = Arguments.Tokenizer();
        Option<double?> maxKl = Arguments.Limit("--max-kl", "With --against: exit 3 where KL is above this");
        Option<double?> maxRatio = Arguments.Limit("--max-perplexity-ratio", "With --against: exit 3 where perplexity / the other's is above this");
        Command command = new("eval", "Measures perplexity, accuracy, sparsity, and the distance from another model")
        {
            model, text, against, scale, maxTokens, tokenizer, maxKl, maxRatio,
        };
        DeviceOptions device = new(command);
        command.Validators.Add(result =>
        {
            foreach (Option<double?> limit in new[] { maxKl, maxRatio })
            {
                if (result.GetResult(limit) is not null && result.GetResult(against) is null)
                {
                    result.AddError($"{limit.Name} compares with another model: give --against MODEL");
                }
            }
        });
        command.SetAction((parsed, cancellation) => Task.FromResult(EvalJob.Run(
            new EvalRequest
            {
                Model = parsed.GetRequiredValue(model),
                Texts = parsed.GetValue(text) ?? [],
                Against = parsed.GetValue(against),
                ThresholdScale = parsed.GetValue(scale),
                MaxTokens = parsed.GetValue(maxTokens),
                Tokenizer = parsed.GetValue(tokenizer),
                Placement = device.Read(parsed),
                MaxKl = parsed.GetValue(maxKl),
                MaxPerplexityRatio = parsed.GetValue(maxRatio),
            },
            ToolOutput.Current,
            cancellation)));
        return command;
    }
}
