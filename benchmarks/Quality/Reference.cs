// SPDX-License-Identifier: MIT
// The reference numbers of a model (shared/models/reference/NAME.json: PyTorch, float32) and how near ours must come.
using System.Text.Json;

namespace CatsOnnx.Quality;

/// <summary>One way to run a model.</summary>
/// <param name="Method">"dense", "layer" or "neuron".</param>
/// <param name="Sparsity">The target; 0 for dense.</param>
internal readonly record struct Variant(string Method, double Sparsity)
{
    public static IReadOnlyList<Variant> Sparse { get; } =
        [new("layer", 0.5), new("layer", 0.7), new("layer", 0.9), new("neuron", 0.5), new("neuron", 0.7), new("neuron", 0.9)];

    /// <summary>The entry of the reference file.</summary>
    public string Key => Method switch
    {
        "dense" => "dense",
        "layer" => FormattableString.Invariant($"cats_{Sparsity}"),
        _ => FormattableString.Invariant($"per_neuron_{Sparsity}"),
    };

    public override string ToString() => Method == "dense" ? "dense" : FormattableString.Invariant($"{Sparsity * 100:F0}% by {Method}");
}

/// <summary>The figures of one variant.</summary>
internal sealed record Figures(double Perplexity, double NextTokenAccuracy, double ChoiceAccuracy, double? Sparsity, double? Kl);

/// <summary>How far ours may be from the reference.</summary>
/// <param name="Perplexity">As a share of the reference.</param>
/// <param name="NextToken">In points (1 point is 0.01).</param>
/// <param name="Choice">In points.</param>
/// <param name="Sparsity">In points.</param>
internal readonly record struct Limits(double Perplexity, double NextToken, double Choice, double Sparsity)
{
    public static Limits Of(string model, Variant variant)
        => new(variant.Sparsity >= 0.9 ? 0.01 : 0.005, 0.5, 1.5, model == "llama-3m" && variant.Sparsity >= 0.9 ? 1 : 0.5);

    public bool Hold(Figures ours, Figures reference)
        => Math.Abs(ours.Perplexity / reference.Perplexity - 1) <= Perplexity
            && Math.Abs(ours.NextTokenAccuracy - reference.NextTokenAccuracy) * 100 <= NextToken
            && Math.Abs(ours.ChoiceAccuracy - reference.ChoiceAccuracy) * 100 <= Choice
            && (reference.Sparsity is not double sparsity || Math.Abs((ours.Sparsity ?? 0) - sparsity) * 100 <= Sparsity);
}

/// <summary>A reference file.</summary>
internal sealed class Reference(string path)
{
    private readonly JsonElement _root = JsonDocument.Parse(File.ReadAllText(path)).RootElement;

    public Figures this[Variant variant]
    {
        get
        {
            JsonElement entry = _root.GetProperty(variant.Key);
            return new(
                entry.GetProperty("perplexity").GetDouble(),
                entry.GetProperty("next_token_accuracy").GetDouble(),
                entry.GetProperty("choice_accuracy").GetDouble(),
                entry.TryGetProperty("sparsity", out JsonElement sparsity) ? sparsity.GetDouble() : null,
                entry.TryGetProperty("kl", out JsonElement kl) ? kl.GetDouble() : null);
        }
    }
}
