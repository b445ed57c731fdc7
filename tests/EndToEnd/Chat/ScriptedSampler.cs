// SPDX-License-Identifier: MIT
// Lets a model say what a test wants, through the real pipeline: prompts are encoded, run and decoded as always.
using CatsOnnx.Sampling;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.EndToEnd.Chat;

/// <summary>Answers each request with the next script, then eos.</summary>
internal sealed class ScriptedSampler(TextTokenizer tokenizer, params string[] answers) : ISampler
{
    private int[] _script = [];
    private int _next;

    /// <summary>The prompts of the requests so far.</summary>
    public List<string> Prompts { get; } = [];

    public int Sample(ReadOnlySpan<float> logits) => throw new InvalidOperationException("A generator gives the history.");

    public int Sample(ReadOnlySpan<float> logits, TokenHistory history)
    {
        if (history.Generated.Length == 0)
        {
            _script = [.. tokenizer.Encode(answers[Prompts.Count]), tokenizer.EosId!.Value];
            _next = 0;
            Prompts.Add(tokenizer.Decode(history.Prompt, skipSpecialTokens: false));
        }

        return _script[_next++];
    }
}
