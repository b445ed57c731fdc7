// SPDX-License-Identifier: MIT
// cats completion: a script for a shell that completes verbs, options and their values.
using System.CommandLine;
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Commands;

internal static class CompletionCommand
{
    // The shell's name, and the ending of its script in Completion/. A new shell is one line here and one script.
    private static readonly (string Shell, string Ending)[] s_scripts = [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish"), ("pwsh", "ps1")];

    public static Command Create()
    {
        string[] shells = [.. s_scripts.Select(script => script.Shell)];
        string known = string.Join(", ", shells);
        Argument<string> shell = new("SHELL") { Description = known };
        shell.CompletionSources.Add(shells);
        shell.Validators.Add(result =>
        {
            if (!shells.Contains(result.Tokens[0].Value))
            {
                result.AddError($"SHELL is '{result.Tokens[0].Value}'; it must be one of {known}");
            }
        });
        Command command = new("completion", "Prints a script that makes a shell complete cats, as: source <(cats completion bash)") { shell };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(shell), ToolOutput.Current));
        return command;
    }

    private static int Run(string shell, ToolOutput output)
    {
        string name = $"cats.{s_scripts.First(script => script.Shell == shell).Ending}";
        using Stream stream = typeof(CompletionCommand).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The tool was built without {name}.");
        using StreamReader reader = new(stream);
        string text = reader.ReadToEnd();
        output.Piece(text);
        output.Result(new JsonObject { ["shell"] = shell, ["script"] = text });
        return ExitCode.Done;
    }
}
