// SPDX-License-Identifier: MIT
// cats report: models measured, drawn and explained on one page.
using System.CommandLine;
using System.Globalization;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Report;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Commands;

internal static class ReportCommand
{
    public static Command Create()
    {
        Argument<string[]> models = new("MODEL") { Description = "Model folders or .onnx files, dense or rewritten", Arity = ArgumentArity.OneOrMore };
        Option<string> output = Arguments.Output("FOLDER", "The folder to make, with index.html and PNG files; it is absent or whole at any moment");
        Option<string[]> text = Arguments.Text("UTF-8 text to observe gates and measure perplexity on; without it the page has neither");
        Option<int?> maxTokens = Arguments.MaxTokens("With --text: read only the first floor(N / 512) windows of 512 tokens");
        Option<string[]> sparsity = new("--sparsity")
        {
            Description = "Shares of neurons to skip in dense models; default 0.3 0.5 0.7 0.9",
            HelpName = "S...",
            Arity = ArgumentArity.OneOrMore,
            AllowMultipleArgumentsPerToken = true,
        };
        Option<string?> method = Arguments.Method();
        Option<string?> tokenizer = Arguments.Tokenizer();
        Option<bool> overwrite = new("--overwrite") { Description = "Replace an existing folder once the new one is whole" };
        Command command = new("report", "Measures models and makes one HTML page with charts: sparsity, thresholds, perplexity, speed")
        {
            models, output, text, maxTokens, sparsity, method, tokenizer, overwrite,
        };
        DeviceOptions device = new(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(maxTokens) is not null && result.GetResult(text) is null)
            {
                result.AddError("--max-tokens goes with --text");
            }
        });
        command.SetAction((parsed, cancellation) => Task.FromResult(ReportJob.Run(
            new ReportRequest
            {
                Models = parsed.GetRequiredValue(models),
                Output = parsed.GetRequiredValue(output),
                Texts = parsed.GetValue(text) ?? [],
                MaxTokens = parsed.GetValue(maxTokens),
                Sparsities = Sparsities(parsed.GetValue(sparsity)),
                Method = parsed.GetValue(method),
                Tokenizer = parsed.GetValue(tokenizer),
                Overwrite = parsed.GetValue(overwrite),
                Placement = device.Read(parsed),
            },
            ToolOutput.Current,
            cancellation)));
        return command;
    }

    private static double[] Sparsities(string[]? texts) => texts is null or []
        ? ReportRequest.DefaultSparsities
        : [.. texts.Select(text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value is > 0 and < 1
            ? value
            : throw new UsageException($"--sparsity is '{text}'; it must be a number above 0 and below 1 (0.5 is 50%).")).Distinct().Order()];
}
