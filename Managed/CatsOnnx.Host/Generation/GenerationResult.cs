// SPDX-License-Identifier: MIT
// What a request gave: tokens, text, why it ended, how long it took.
namespace CatsOnnx.Generation;

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>A stop token came; it is the last of the ids.</summary>
    StopToken,

    /// <summary>A stop string came; the text ends before it.</summary>
    StopString,

    /// <summary>As many tokens as were asked for.</summary>
    MaxNewTokens,

    /// <summary>The model's context is full.</summary>
    ContextFull,
}

/// <summary>One generated token and the text that is certain with it.</summary>
/// <param name="Id">The token's id; null for text that was held back and is given at the end.</param>
/// <param name="Text">Whole characters, empty while a character or a possible stop string is not complete.</param>
public readonly record struct GeneratedToken(int? Id, string Text)
{
    /// <summary>How far the dense model's choice was, where this token was probed (<see cref="GenerationOptions.DenseProbeEvery"/>).</summary>
    public DenseProbe? Probe { get; init; }
}

/// <summary>Times and counts of one request.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="NewTokens">Tokens generated.</param>
/// <param name="Prefill">From the start until the first token was chosen.</param>
/// <param name="Decode">From then until the last token was chosen, without the time of dense probes.</param>
/// <param name="Sparsity">Share of neurons that were skipped in decoding, 0 to 1, over all layers; null where it was not counted.</param>
public sealed record GenerationStatistics(int PromptTokens, int NewTokens, TimeSpan Prefill, TimeSpan Decode, double? Sparsity)
{
    /// <summary>Tokens of the prompt that were not run, because the cache held them (<see cref="GenerationOptions.ReusePrefix"/>).</summary>
    public int CachedTokens { get; init; }

    /// <summary>Of <see cref="Decode"/>, the time inside ONNX Runtime's Run; the rest is this library's and the callbacks'. On a
    /// GPU Run returns when the work is given to it, and waiting for it is in the rest. Null where sequences shared their runs.</summary>
    public TimeSpan? DecodeRun { get; init; }

    /// <summary>Dense probes while decoding; null where there were none. They are no part of <see cref="Sparsity"/> and of the times.</summary>
    public ProbeStatistics? Probes { get; init; }

    /// <summary>Tokens a second while decoding, the first token (which prefill gave) left out; 0 where there was one only.</summary>
    public double TokensPerSecond => NewTokens > 1 && Decode > TimeSpan.Zero ? (NewTokens - 1) / Decode.TotalSeconds : 0;
}

/// <summary>What a request gave.</summary>
/// <param name="Ids">The generated tokens, a stop token among them.</param>
/// <param name="Text">Their text, without special tokens; it goes on from the prompt's.</param>
/// <param name="Reason">Why it ended.</param>
/// <param name="Statistics">Times and counts.</param>
public sealed record GenerationResult(IReadOnlyList<int> Ids, string Text, FinishReason Reason, GenerationStatistics Statistics);
