// SPDX-License-Identifier: MIT
// ChatOptions in the terms of this project; what cannot be done is refused by name, never ignored.
using System.Globalization;
using System.Text.Json;
using CatsOnnx.Generation;
using CatsOnnx.Sampling;
using Microsoft.Extensions.AI;

namespace CatsOnnx.Chat;

internal static class ChatOptionsMapping
{
    private const string Prefix = "cats.";
    private const string ThresholdScale = Prefix + "threshold_scale";
    private const string PrefillThresholdScale = Prefix + "prefill_threshold_scale";
    private const string DenseProbeEvery = Prefix + "dense_probe_every";
    private const string MinP = Prefix + "min_p";
    private const string RepetitionPenalty = Prefix + "repetition_penalty";

    private static readonly string[] s_additional = [ThresholdScale, PrefillThresholdScale, DenseProbeEvery, MinP, RepetitionPenalty];

    /// <summary>The options of a request.</summary>
    /// <param name="options">What was asked for, or null.</param>
    /// <param name="client">The client, for RawRepresentationFactory.</param>
    /// <param name="defaults">What holds where nothing was asked for.</param>
    /// <param name="modelId">The only model there is.</param>
    /// <exception cref="NotSupportedException">An option asks for something that cannot be done; the message names it.</exception>
    /// <exception cref="ArgumentException">An option has a value that it cannot have.</exception>
    public static GenerationOptions Map(ChatOptions? options, IChatClient client, GenerationOptions defaults, string modelId)
    {
        if (options is null)
        {
            return defaults;
        }

        Refuse(options, modelId);
        if (options.MaxOutputTokens < 1)
        {
            throw new ArgumentException($"ChatOptions.MaxOutputTokens is {options.MaxOutputTokens}; it must be 1 or more.");
        }

        GenerationOptions generation = options.RawRepresentationFactory?.Invoke(client) as GenerationOptions ?? defaults;
        return generation with
        {
            MaxNewTokens = options.MaxOutputTokens ?? generation.MaxNewTokens,
            StopStrings = options.StopSequences is { Count: > 0 } stops ? [.. generation.StopStrings, .. stops] : generation.StopStrings,
            ThresholdScale = Scale(options, ThresholdScale) ?? generation.ThresholdScale,
            PrefillThresholdScale = Scale(options, PrefillThresholdScale) ?? generation.PrefillThresholdScale,
            DenseProbeEvery = Count(options, DenseProbeEvery) ?? generation.DenseProbeEvery,
            Sampling = Sampling(options, generation),
        };
    }

    // Without a word on sampling the default stays as it is. Temperature, top-p, top-k and min-p ask for drawing; a seed or a
    // penalty alone does not, and goes with the likeliest token where that is the default.
    private static SamplingOptions? Sampling(ChatOptions options, GenerationOptions generation)
    {
        float? minP = Additional(options, MinP);
        float? repetition = Additional(options, RepetitionPenalty);
        bool draws = options.Temperature is not null || options.TopP is not null || options.TopK is not null || minP is not null;
        if (!draws && options.Seed is null && options.PresencePenalty is null && options.FrequencyPenalty is null && repetition is null)
        {
            return generation.Sampling;
        }

        if (generation.Sampling is null && generation.Sampler is not Greedy)
        {
            throw new NotSupportedException($"Options of sampling cannot be combined with the sampler that the client was made with, {generation.Sampler.GetType().Name}.");
        }

        SamplingOptions sampling = generation.Sampling ?? new SamplingOptions { Temperature = draws ? 1 : 0 };
        return sampling with
        {
            Temperature = options.Temperature ?? sampling.Temperature,
            TopP = options.TopP ?? sampling.TopP,
            TopK = options.TopK ?? sampling.TopK,
            MinP = minP ?? sampling.MinP,
            RepetitionPenalty = repetition ?? sampling.RepetitionPenalty,
            PresencePenalty = options.PresencePenalty ?? sampling.PresencePenalty,
            FrequencyPenalty = options.FrequencyPenalty ?? sampling.FrequencyPenalty,
            Seed = options.Seed ?? sampling.Seed,
        };
    }

    private static void Refuse(ChatOptions options, string modelId)
    {
        if (options.ConversationId is not null)
        {
            throw Unsupported(nameof(options.ConversationId), "this client keeps no conversations: each request holds all its messages");
        }

        if (options.ModelId is string other && other != modelId)
        {
            throw Unsupported(nameof(options.ModelId), $"'{other}' was asked for, and this client runs '{modelId}'");
        }

        if (options.ResponseFormat is not null and not ChatResponseFormatText)
        {
            throw Unsupported(nameof(options.ResponseFormat), $"{options.ResponseFormat.GetType().Name} was asked for, and answers are plain text");
        }

        if (options.AllowMultipleToolCalls is false)
        {
            throw Unsupported(nameof(options.AllowMultipleToolCalls), "the model decides how many calls it asks for");
        }

        if (options.ToolMode is RequiredChatToolMode)
        {
            throw Unsupported(nameof(options.ToolMode), "the model cannot be made to call a tool");
        }

        if (options.Reasoning is not null)
        {
            throw Unsupported(nameof(options.Reasoning), "use the chat template's own variables");
        }

#pragma warning disable MEAI001 // experimental members are looked at only to refuse them
        if (options.ContinuationToken is not null || options.AllowBackgroundResponses is true)
        {
            throw Unsupported(options.ContinuationToken is not null ? nameof(options.ContinuationToken) : nameof(options.AllowBackgroundResponses), "answers come in one piece");
        }
#pragma warning restore MEAI001

        foreach (string name in options.AdditionalProperties?.Keys ?? Enumerable.Empty<string>())
        {
            if (name.StartsWith(Prefix, StringComparison.Ordinal) && !s_additional.Contains(name))
            {
                throw Unsupported($"AdditionalProperties[\"{name}\"]", $"known are {string.Join(", ", s_additional)}");
            }
        }
    }

    private static float? Scale(ChatOptions options, string name)
    {
        float? scale = Additional(options, name);
        return GenerationOptions.ThresholdScaleError(Text(name), scale) is string error ? throw new ArgumentException(error) : scale;
    }

    private static int? Count(ChatOptions options, string name) =>
        Additional(options, name) is not { } count ? null
        : count is >= 0 and <= 1 << 24 && float.IsInteger(count) ? (int)count // whole numbers that a float holds
        : throw new ArgumentException(string.Create(
            CultureInfo.InvariantCulture, $"{Text(name)} is {count}; it must be a whole number, 0 (never) to {1 << 24}."));

    private static float? Additional(ChatOptions options, string name)
    {
        if (options.AdditionalProperties is null || !options.AdditionalProperties.TryGetValue(name, out object? value) || value is null)
        {
            return null;
        }

        try
        {
            return value is JsonElement json ? json.GetSingle() : Convert.ToSingle(value, CultureInfo.InvariantCulture);
        }
        catch (Exception error) when (error is FormatException or InvalidCastException or OverflowException or InvalidOperationException)
        {
            throw new ArgumentException($"{Text(name)} must be a number, but is '{value}'.", error);
        }
    }

    private static string Text(string name) => $"ChatOptions.AdditionalProperties[\"{name}\"]";

    private static NotSupportedException Unsupported(string option, string why) => new($"ChatOptions.{option} is not supported: {why}.");
}
