// SPDX-License-Identifier: MIT
// cats calibrate: text through the model, thresholds out. Shards of a text can run on several machines and be merged.
using System.CommandLine;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Commands;

internal static class CalibrateCommand
{
    public static Command Create()
    {
        Argument<string?> model = new("MODEL") { Description = "A model folder or a .onnx file", Arity = ArgumentArity.ZeroOrOne };
        Option<string[]> text = Arguments.Text("UTF-8 text to calibrate on; documents end with the line <|endoftext|>");
        Option<double?> sparsity = Arguments.Sparsity("Share of neurons to skip; default 0.5");
        Option<string?> method = Arguments.Method();
        Option<int?> maxTokens = Arguments.MaxTokens("Read only the first floor(N / 512) windows of 512 tokens");
        Option<string?> shard = new("--shard") { Description = "Run part i of n (1/4 to 4/4) and write its histograms", HelpName = "i/n" };
        Option<string[]> merge = new("--merge")
        {
            Description = "Make thresholds of the files that all shards wrote",
            HelpName = "FILE...",
            Arity = ArgumentArity.OneOrMore,
            AllowMultipleArgumentsPerToken = true,
        };
        Option<string?> tokenizer = Arguments.Tokenizer();
        Option<string> output = Arguments.Output("FILE", "The thresholds.json (with --shard: the shard file) to write");
        Command command = new("calibrate", "Finds the thresholds of a model on a text")
        {
            model, text, sparsity, method, maxTokens, shard, merge, tokenizer, output,
        };
        DeviceOptions device = new(command);
        command.Validators.Add(result =>
        {
            bool merging = result.GetResult(merge) is not null;
            bool calibrating = result.GetResult(text) is not null;
            if (merging == calibrating)
            {
                result.AddError(merging ? "--merge and --text exclude each other" : "give --text FILE... to calibrate on, or --merge FILE... of shards");
            }
            else if (calibrating && result.GetResult(model)?.Tokens.Count is null or 0)
            {
                result.AddError("MODEL is missing; it comes before --text, which takes all that follows it");
            }
            else if (merging && result.GetResult(shard) is not null)
            {
                result.AddError("--merge and --shard exclude each other");
            }
        });
        command.SetAction((parsed, cancellation) => Task.FromResult(CalibrateJob.Run(
            new CalibrateRequest
            {
                Model = parsed.GetValue(model),
                Texts = parsed.GetValue(text) ?? [],
                Sparsity = parsed.GetValue(sparsity),
                Method = parsed.GetValue(method),
                MaxTokens = parsed.GetValue(maxTokens),
                Shard = parsed.GetValue(shard) is { } part ? ParseShard(part) : null,
                Merge = parsed.GetValue(merge) ?? [],
                Tokenizer = parsed.GetValue(tokenizer),
                Placement = device.Read(parsed),
                Output = parsed.GetRequiredValue(output),
            },
            ToolOutput.Current,
            cancellation)));
        return command;
    }

    private static (int Part, int Parts) ParseShard(string text)
    {
        string[] numbers = text.Split('/');
        if (numbers.Length == 2 && int.TryParse(numbers[0], out int part) && int.TryParse(numbers[1], out int parts) && part >= 1 && part <= parts)
        {
            return (part, parts);
        }

        throw new UsageException($"--shard is '{text}'; it must be i/n with 1 <= i <= n, as 2/8.");
    }
}
