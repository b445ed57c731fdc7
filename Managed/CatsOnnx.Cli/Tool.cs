// SPDX-License-Identifier: MIT
// One run of the tool, from arguments to exit code. Everything that can go wrong comes back through here.
using System.CommandLine;
using System.CommandLine.Invocation;
using CatsOnnx.Cli.Commands;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli;

internal static class Tool
{
    public static async Task<int> RunAsync(string[] args)
    {
        TerminalWriter.Install();

        // A prompt may start with '@', and `-o` is never a bundle of single letters.
        ParserConfiguration parser = new() { ResponseFileTokenReplacer = null, EnablePosixBundling = false };
        ParseResult parsed = CatsRootCommand.Create().Parse(args, parser);
        ToolOutput output = new(json: parsed.GetValue(CatsRootCommand.Json));

        // A command line that does not parse has no verb to say whether JSON is wanted.
        if (parsed.Action is ParseErrorAction)
        {
            bool json = output.Json || args.TakeWhile(argument => argument != "--").Contains("--json");
            return ErrorFunnel.Report(new UsageException(ParseErrors(parsed)), json == output.Json ? output : new ToolOutput(json));
        }

        using Interruption interruption = new();
        using StringWriter text = new();
        InvocationConfiguration invocation = new()
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null, // Interruption does this: the first Ctrl+C undoes, the second ends
            Output = text,
            Error = Console.Error,
        };
        ToolOutput.Current = output;
        try
        {
            int exitCode = await parsed.InvokeAsync(invocation, interruption.Token);
            output.Text(text.ToString(), parsed.Action?.GetType().DeclaringType == typeof(VersionOption) ? "version" : "help");
            return exitCode;
        }
        catch (Exception exception)
        {
            return ErrorFunnel.Report(interruption.Token.IsCancellationRequested ? new OperationCanceledException() : exception, output);
        }
    }

    private static string ParseErrors(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (command is RootCommand)
        {
            string verbs = string.Join(", ", command.Subcommands.Select(known => known.Name));
            return parsed.UnmatchedTokens is [var unknown, ..]
                ? $"there is no verb '{unknown}'; there are {verbs}. `cats --help` says what they do."
                : $"give a verb: {verbs}. `cats --help` says what they do.";
        }

        // The parser says that an argument is missing, not which.
        IEnumerable<string> missing = command.Arguments.Where(argument => argument.Arity.MinimumNumberOfValues > 0 && parsed.GetResult(argument)?.Tokens.Count is null or 0)
            .Select(argument => $"{argument.Name} is missing");
        IEnumerable<string> messages = missing.Concat(parsed.Errors.Select(error => error.Message.TrimEnd('.')).Where(message => !message.StartsWith("Required argument", StringComparison.Ordinal))).Distinct();
        string verb = command.Name + " ";
        return $"{string.Join("; ", messages)}. `cats {verb}--help` shows the arguments.";
    }
}
