// SPDX-License-Identifier: MIT
// What may be typed in a conversation besides messages. A new command is one line in the list.
using System.Globalization;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Generation;

namespace CatsOnnx.Cli.Jobs.Chat;

/// <param name="talk">The conversation.</param>
/// <param name="screen">Where commands answer.</param>
internal sealed class ChatCommands(Talk talk, ChatScreen screen)
{
    private static readonly (string Name, string Takes, string Does, Action<ChatCommands, string> Run)[] s_all =
    [
        ("/dial", "[X]", "multiplies the thresholds of the next answers: 0 is dense, 1 the model's own; without X shows it", (self, text) => self.Dial(text)),
        ("/dense", "", "answers densely from here on (/dial 0)", (self, _) => self.Set(0)),
        ("/stats", "", "tokens, speed and sparsity of the conversation", (self, _) => self.Stats()),
        ("/clear", "", "forgets what was said", (self, _) => self.Clear()),
        ("/help", "", "shows this", (self, _) => self.Help()),
        ("/exit", "", "ends the program, as Ctrl+D does; Ctrl+C ends an answer", (self, _) => self.IsOver = true),
    ];

    /// <summary>Whether /exit was typed.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Whether a line is a command; two slashes begin a message with one.</summary>
    public static bool IsCommand(string line) => line.StartsWith('/') && !line.StartsWith("//", StringComparison.Ordinal);

    /// <summary>Runs a line that is a command.</summary>
    /// <exception cref="UsageException">There is no such command, or it takes something else.</exception>
    /// <exception cref="UnsuitableInputException">The model cannot do it.</exception>
    public void Run(string line)
    {
        string[] parts = line.Split(' ', 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string rest = parts.Length > 1 ? parts[1] : "";
        foreach ((string name, string takes, string _, Action<ChatCommands, string> run) in s_all)
        {
            if (name == parts[0])
            {
                if (takes.Length == 0 && rest.Length > 0)
                {
                    throw new UsageException($"{name} takes nothing, but '{rest}' follows it.");
                }

                run(this, rest);
                return;
            }
        }

        throw new UsageException($"There is no command {parts[0]}; there are {string.Join(", ", s_all.Select(command => command.Name))}. A message that begins with a slash is typed with two.");
    }

    private void Dial(string text)
    {
        if (text.Length == 0)
        {
            screen.Say(!talk.HasDial ? "the model is dense: there is no dial" : ToolOutput.Format($"dial {talk.Dial ?? 1:0.###}"));
            return;
        }

        Set(float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float scale) && scale >= 0 && float.IsFinite(scale)
            ? scale
            : throw new UsageException($"/dial takes a number, 0 (dense) or more, as /dial 0.7; it was '{text}'."));
    }

    private void Set(float scale)
    {
        talk.Dial = scale;
        screen.Say(scale == 0 ? "dial 0: the next answers are dense" : ToolOutput.Format($"dial {scale:0.###}: the next answers use {scale:0.###} times the thresholds"));
    }

    private void Stats()
    {
        GenerationStatistics[] all = [.. talk.Answers.Select(answer => answer.Statistics).OfType<GenerationStatistics>()];
        if (all.Length == 0)
        {
            screen.Say("no answer yet that came to its end");
            return;
        }

        int tokens = all.Sum(one => one.NewTokens);
        double seconds = all.Sum(one => one.Decode.TotalSeconds);
        int decoded = all.Sum(one => one.NewTokens - 1); // the first token of each answer comes from its prompt
        GenerationStatistics[] counted = [.. all.Where(one => one.Sparsity is not null)];
        int weight = counted.Sum(one => one.NewTokens - 1);
        double? sparsity = weight > 0 ? counted.Sum(one => one.Sparsity!.Value * (one.NewTokens - 1)) / weight : null;
        int prompt = all.Sum(one => one.PromptTokens);
        int kept = all.Sum(one => one.CachedTokens);
        screen.Say(ToolOutput.Format($"{all.Length} answers, {tokens} tokens, {(seconds > 0 ? decoded / seconds : 0):0.0} tokens/s, sparsity {Quantity.Percent(sparsity)}"));
        screen.Say(ToolOutput.Format($"prompts of {prompt} tokens, {kept} of them kept from the turn before; the conversation has {all[^1].PromptTokens + all[^1].NewTokens} tokens"));
    }

    private void Clear()
    {
        talk.Clear();
        screen.Say("a new conversation");
    }

    private void Help()
    {
        foreach ((string name, string takes, string does, Action<ChatCommands, string> _) in s_all)
        {
            screen.Say($"{name + " " + takes,-12}{does}");
        }
    }
}
