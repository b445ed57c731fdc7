// SPDX-License-Identifier: MIT
// What was said, as the model is shown it.
namespace CatsOnnx.Cli.Jobs.Chat;

/// <summary>A conversation.</summary>
internal abstract class Transcript
{
    /// <summary>Whether an answer is a text of its own, so that the space which SentencePiece puts before one is no part of it.</summary>
    public abstract bool AnswersStandAlone { get; }

    /// <summary>The tokens of all that was said and of a new line.</summary>
    public abstract int[] Prompt(string line);

    /// <summary>Keeps a line and its answer.</summary>
    public abstract void Add(string line, string answer);

    /// <summary>Forgets what was said; a system message stays.</summary>
    public abstract void Clear();
}
