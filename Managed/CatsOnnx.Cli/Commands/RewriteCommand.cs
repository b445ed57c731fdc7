// SPDX-License-Identifier: MIT
// cats rewrite: an exported model in, a complete folder with the sparse model out.
using System.CommandLine;
using CatsOnnx.Cli.Jobs;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Commands;

internal static class RewriteCommand
{
    public static Command Create()
    {
        Argument<string> model = Arguments.Model();
        Option<string> output = Arguments.Output("FOLDER", "The folder to make; it is absent or whole at any moment");
        Option<string?> thresholds = new("--thresholds") { Description = "A thresholds.json of this model (cats calibrate)", HelpName = "FILE" };
        Option<string[]> text = Arguments.Text("UTF-8 text to calibrate on, in place of --thresholds");
        Option<double?> sparsity = Arguments.Sparsity("With --text: share of neurons to skip; default 0.5");
        Option<string?> method = Arguments.Method();
        Option<int?> maxTokens = Arguments.MaxTokens("With --text: read only the first floor(N / 512) windows of 512 tokens");
        Option<bool> unfused = new("--unfused") { Description = "Put CatsThreshold between SiLU and Mul in place of one fused operator" };
        Option<string?> check = Arguments.Choice(
            "--check", "Run the result against the source at threshold scale 0; auto: where that needs less than half of the free memory; default auto", "auto", "on", "off");
        Option<string?> rid = Arguments.Choice(
            "--rid", "Put the native library for this platform beside the model; default linux-x64 in a GenAI folder, else none", "linux-x64", "win-x64", "none");
        Option<string?> tokenizer = Arguments.Tokenizer();
        Option<bool> requireAll = new("--require-all") { Description = "Fail unless every MLP can be rewritten" };
        Option<bool> overwrite = new("--overwrite") { Description = "Replace an existing folder once the new one is whole" };
        Command command = new("rewrite", "Makes a model sparse: MODEL in, a complete folder out")
        {
            model, output, thresholds, text, sparsity, method, maxTokens, unfused, check, rid, tokenizer, requireAll, overwrite,
        };
        DeviceOptions device = new(command);
        command.Validators.Add(result =>
        {
            bool fromFile = result.GetResult(thresholds) is not null;
            bool fromText = result.GetResult(text) is not null;
            if (fromFile == fromText)
            {
                result.AddError(fromFile ? "--thresholds and --text exclude each other" : "give --thresholds FILE, or --text FILE... with --sparsity S");
            }

            foreach (Option option in new Option[] { sparsity, method, maxTokens }.Where(option => fromFile && result.GetResult(option) is not null))
            {
                result.AddError($"{option.Name} goes with --text; --thresholds says it already");
            }
        });
        command.SetAction((parsed, cancellation) => Task.FromResult(RewriteJob.Run(
            new RewriteRequest
            {
                Model = parsed.GetRequiredValue(model),
                Output = parsed.GetRequiredValue(output),
                Thresholds = parsed.GetValue(thresholds),
                Texts = parsed.GetValue(text) ?? [],
                Sparsity = parsed.GetValue(sparsity),
                Method = parsed.GetValue(method),
                MaxTokens = parsed.GetValue(maxTokens),
                Unfused = parsed.GetValue(unfused),
                Check = parsed.GetValue(check) ?? "auto",
                Rid = parsed.GetValue(rid),
                Tokenizer = parsed.GetValue(tokenizer),
                Placement = device.Read(parsed),
                RequireAll = parsed.GetValue(requireAll),
                Overwrite = parsed.GetValue(overwrite),
            },
            ToolOutput.Current,
            cancellation)));
        return command;
    }
}
