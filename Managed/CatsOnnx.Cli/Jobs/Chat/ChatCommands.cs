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
        ("/prefill", "[X]", "the same for prompts: dense (0), sparse (as the dial, at first), or a number; without X shows it", (self, text) => self.Prefill(text)),
        ("/probe", "[N]", "compares every N-th token with the dense model's; 0 never; without N shows it", (self, text) => self.Probe(text)),
        ("/stats", "", "tokens, speed, sparsity and probes of the conversation", (self, _) => self.Stats()),
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

        Set(ReadScale(text) ?? throw new UsageException($"/dial takes a number, 0 (dense) or more, as /dial 0.7; it was '{text}'."));
    }

    private static float? ReadScale(string text) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float scale) && GenerationOptions.ThresholdScaleError("", scale) is null ? scale : null;

    private void Prefill(string text)
    {
        if (text.Length > 0)
        {
            talk.PrefillDial = text switch
            {
                "dense" => 0,
                "sparse" => null,
                _ => ReadScale(text) ?? throw new UsageException($"/prefill takes dense, sparse, or a number, 0 (dense) or more; it was '{text}'."),
            };
        }

        screen.Say(!talk.HasDial ? "the model is dense: there is no dial"
            : talk.PrefillDial is not float scale ? "prefill sparse: prompts run as the dial says"
            : scale == 0 ? "prefill dense: prompts run with all neurons"
            : ToolOutput.Format($"prefill {scale:0.###}: prompts run with {scale:0.###} times the thresholds"));
    }

    private void Probe(string text)
    {
        if (text.Length > 0)
        {
            talk.ProbeEvery = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int every)
                ? every
                : throw new UsageException($"/probe takes a whole number, 0 (never) or more, as /probe 8; it was '{text}'.");
        }

        screen.Say(talk.ProbeEvery == 0 ? "probe 0: the dense model is not asked"
            : ToolOutput.Format($"probe {talk.ProbeEvery}: one token of {talk.ProbeEvery} is compared with the dense model's"));
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
        if (ProbeStatistics.Sum(all.Select(one => one.Probes)) is ProbeStatistics probes)
        {
            screen.Say(ToolOutput.Format($"{probes.Count} dense probes: KL {probes.Kl:0.####}, top-1 as dense {Quantity.Percent(probes.Top1Agreement)}; they took {Quantity.Seconds(probes.Elapsed)}, which tokens/s leaves out"));
        }

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
            screen.Say($"{name + " " + takes,-13}{does}");
        }
    }
}
