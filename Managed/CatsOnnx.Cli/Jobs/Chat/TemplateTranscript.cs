// SPDX-License-Identifier: MIT
// A conversation in the words of the model's chat template.
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Session;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Cli.Jobs.Chat;

/// <param name="template">The template.</param>
/// <param name="tokenizer">The model's tokenizer.</param>
/// <param name="system">The first message, or null.</param>
internal sealed class TemplateTranscript(ChatTemplate template, TextTokenizer tokenizer, string? system) : Transcript
{
    private readonly List<ChatTurn> _turns = Begin(system);

    public override bool AnswersStandAlone => true;

    /// <summary>The template of a file, or else of the model.</summary>
    /// <exception cref="FileNotFoundException">The file is not there.</exception>
    /// <exception cref="UnsuitableInputException">The model has none.</exception>
    public static ChatTemplate FindTemplate(ModelFolder folder, TextTokenizer tokenizer, string? file)
    {
        if (file is not null)
        {
            return File.Exists(file)
                ? ChatTemplate.Parse(File.ReadAllText(file), tokenizer)
                : throw new FileNotFoundException($"There is no chat template '{file}' (--chat-template); give a file in Jinja, or continue plain text with --raw.", file);
        }

        return ChatTemplate.Find(folder.Root, tokenizer)
            ?? (folder.ModelDirectory == folder.Root ? null : ChatTemplate.Find(folder.ModelDirectory, tokenizer))
            ?? throw new UnsuitableInputException($"'{folder.Root}' has no chat template (chat_template.jinja, or the field chat_template of tokenizer_config.json), "
                + "so it may be no chat model. Name one with --chat-template FILE, or continue plain text with --raw.");
    }

    public override int[] Prompt(string line) => tokenizer.Encode(template.Render([.. _turns, new ChatTurn("user", line)]));

    public override void Add(string line, string answer)
    {
        _turns.Add(new ChatTurn("user", line));
        _turns.Add(new ChatTurn("assistant", answer));
    }

    public override void Clear() => _turns.RemoveAll(turn => turn.Role != "system");

    private static List<ChatTurn> Begin(string? system) => system is null ? [] : [new ChatTurn("system", system)];
}
