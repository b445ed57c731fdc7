// SPDX-License-Identifier: MIT
// A conversation with an open model: answers, the dial, and what all answers took.
using System.Text;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Generation;

namespace CatsOnnx.Cli.Jobs.Chat;

/// <param name="generator">The model.</param>
/// <param name="transcript">What was said.</param>
/// <param name="options">How answers are generated at first.</param>
/// <exception cref="UnsuitableInputException">Scales or probes were asked for, and the model has no thresholds.</exception>
internal sealed class Talk(TokenGenerator generator, Transcript transcript, GenerationOptions options)
{
    private readonly List<ChatAnswer> _answers = [];
    private GenerationOptions _options = Checked(generator, options);

    /// <summary>All answers, also those before a /clear.</summary>
    public IReadOnlyList<ChatAnswer> Answers => _answers;

    /// <summary>Whether the model is a rewritten one.</summary>
    public bool HasDial => generator.Session.Signature.ThresholdScale is not null;

    /// <summary>Multiplies the thresholds of the next answers; null: the model's own (1).</summary>
    /// <exception cref="UnsuitableInputException">The model has no thresholds.</exception>
    public float? Dial
    {
        get => _options.ThresholdScale;
        set => _options = Checked(generator, _options with { ThresholdScale = value });
    }

    /// <summary>The same for the prompts of the next answers; null: as <see cref="Dial"/>.</summary>
    /// <exception cref="UnsuitableInputException">The model has no thresholds.</exception>
    public float? PrefillDial
    {
        get => _options.PrefillThresholdScale;
        set => _options = Checked(generator, _options with { PrefillThresholdScale = value });
    }

    /// <summary>Every how many tokens of the next answers the dense model is asked too; 0: never.</summary>
    /// <exception cref="UnsuitableInputException">The model has no thresholds.</exception>
    public int ProbeEvery
    {
        get => _options.DenseProbeEvery;
        set => _options = Checked(generator, _options with { DenseProbeEvery = value });
    }

    /// <summary>Answers a line. An answer that is ended early counts with what there is of it.</summary>
    /// <param name="line">What the person says.</param>
    /// <param name="piece">Gets the answer while it grows.</param>
    /// <exception cref="UnsuitableInputException">The conversation has no room for an answer.</exception>
    /// <exception cref="ArgumentException">The template refuses the conversation.</exception>
    public ChatAnswer Answer(string line, Action<string> piece, CancellationToken cancellation)
    {
        int[] prompt = transcript.Prompt(line);
        if (generator.Session.Config.ContextLength is int context && prompt.Length >= context)
        {
            throw new UnsuitableInputException($"The conversation has {prompt.Length} tokens; the model's context of {context} has no room for an answer. /clear begins a new one.");
        }

        StringBuilder text = new();
        int leading = transcript.AnswersStandAlone ? generator.Tokenizer.LeadingSpaces : 0;
        GenerationResult? result = null;
        try
        {
            result = generator.Generate(prompt, _options, Add, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
        }

        transcript.Add(line, text.ToString());
        ChatAnswer answer = new(line, text.ToString(), result?.Reason, result?.Statistics, _options);
        _answers.Add(answer);
        return answer;

        void Add(GeneratedToken token)
        {
            string more = leading > 0 && token.Text.StartsWith(' ') ? token.Text[1..] : token.Text;
            leading = token.Text.Length > 0 ? 0 : leading;
            if (more.Length > 0)
            {
                text.Append(more);
                piece(more);
            }
        }
    }

    /// <summary>Forgets what was said.</summary>
    public void Clear() => transcript.Clear();

    private static GenerationOptions Checked(TokenGenerator generator, GenerationOptions options) =>
        generator.Session.Signature.ThresholdScale is not null || options is { ThresholdScale: null, PrefillThresholdScale: null, DenseProbeEvery: 0 }
            ? options
            : throw new UnsuitableInputException($"'{generator.Session.Folder.Root}' is dense: there is no threshold to scale and nothing to probe. `cats rewrite` makes a sparse model of it.");
}
