// SPDX-License-Identifier: MIT
// Answers [suggest:POSITION], System.CommandLine's directive for shells: what may stand in place of the word there, one a line.
// Its own answers end after a flag (--raw takes true or false, so that it waits for a value) and after several values
// (--text a b --max), and name all that contain the word. No answer leaves the word to the shell: file names.
using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace CatsOnnx.Cli.Completion;

/// <param name="directive">The directive that asks.</param>
internal sealed class Suggestions(SuggestDirective directive) : SynchronousCommandLineAction
{
    public override int Invoke(ParseResult parseResult)
    {
        string line = parseResult.Tokens.LastOrDefault(token => token.Type != TokenType.Directive)?.Value ?? "";
        string? asked = parseResult.GetResult(directive)?.Values.SingleOrDefault();
        int position = int.TryParse(asked, out int number) ? Math.Clamp(number, 0, line.Length) : line.Length;
        int start = line.AsSpan(0, position).LastIndexOf(' ') + 1;
        ParseResult before = parseResult.RootCommandResult.Command.Parse(line[..start], parseResult.Configuration);
        foreach (string word in Words(before, line[start..position]))
        {
            parseResult.InvocationConfiguration.Output.WriteLine(word);
        }

        return Terminal.ExitCode.Done;
    }

    private static IEnumerable<string> Words(ParseResult before, string begun)
    {
        Command command = before.CommandResult.Command;
        Option[] options = [.. command.Options, .. before.RootCommandResult.Command.Options.Where(option => option.Recursive && !command.Options.Contains(option))];
        string[] parts = begun.Split('=', 2);
        IEnumerable<string> words = begun.StartsWith('-') && parts.Length == 2 // --device=c: the whole word, of which bash wants what follows the =
            ? options.Where(option => Names(option).Contains(parts[0])).SelectMany(Values).Select(value => $"{parts[0]}={value}")
            : begun.StartsWith('-') ? options.SelectMany(Names)
            : before.Tokens is [.., { Type: TokenType.Option } last] && options.FirstOrDefault(option => Names(option).Contains(last.Value)) is { } option && option.ValueType != typeof(bool)
                ? Values(option)
                : command.Subcommands.Select(verb => verb.Name).Concat(command.Arguments.SelectMany(Values));
        return words.Where(word => word.StartsWith(begun, StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal);
    }

    private static IEnumerable<string> Names(Option option) => option.Aliases.Append(option.Name);

    private static IEnumerable<string> Values(Symbol symbol) => symbol.GetCompletions(CompletionContext.Empty).Select(item => item.Label);
}
