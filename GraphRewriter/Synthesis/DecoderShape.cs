// SPDX-License-Identifier: MIT
// The sizes of decoder-only models that can be made with random weights, under the names that the tool knows.
namespace CatsOnnx.GraphRewriter.Synthesis;

/// <summary>Sizes of a Llama-like decoder, in Hugging Face's terms.</summary>
/// <param name="Name">The name the tool knows it by.</param>
/// <param name="HiddenSize">Width of the residual stream.</param>
/// <param name="IntermediateSize">Neurons of one MLP.</param>
/// <param name="Layers">Number of layers.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Key and value heads.</param>
/// <param name="VocabularySize">Number of token ids.</param>
/// <param name="MaxPositions">Longest sequence.</param>
public sealed record DecoderShape(
    string Name, int HiddenSize, int IntermediateSize, int Layers, int Heads, int KeyValueHeads, int VocabularySize, int MaxPositions)
{
    /// <summary>All named shapes.</summary>
    public static IReadOnlyList<DecoderShape> All { get; } =
    [
        new("tinyllama-1.1b", 2048, 5632, 22, 32, 4, 32000, 2048),
        new("llama2-7b", 4096, 11008, 32, 32, 32, 32000, 4096),
        new("llama2-13b", 5120, 13824, 40, 40, 40, 32000, 4096),
        new("mistral-7b", 4096, 14336, 32, 32, 8, 32000, 8192),
        new("tiny", 256, 688, 2, 4, 2, 512, 512),
    ];

    /// <summary>Width of one head.</summary>
    public int HeadSize => HiddenSize / Heads;

    /// <summary>The shape of a name.</summary>
    /// <param name="name">One of <see cref="All"/>, such as "tinyllama-1.1b".</param>
    /// <returns>Its sizes.</returns>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static DecoderShape Named(string name) => All.FirstOrDefault(shape => shape.Name == name)
        ?? throw new ArgumentException($"There is no shape '{name}'; there are {string.Join(", ", All.Select(shape => shape.Name))}.", nameof(name));

    internal void RequireSound()
    {
        int smallest = new[] { HiddenSize, IntermediateSize, Layers, Heads, KeyValueHeads, VocabularySize, MaxPositions }.Min();
        if (smallest < 1 || HiddenSize % Heads != 0 || Heads % KeyValueHeads != 0 || HeadSize % 2 != 0)
        {
            throw new ArgumentException($"{this}: sizes must be positive, heads must divide the hidden size into even parts, key-value heads must divide heads.");
        }
    }
}

/// <summary>Element type of a decoder's weights and activations.</summary>
public enum DecoderDtype
{
    /// <summary>float</summary>
    Fp32,

    /// <summary>float16</summary>
    Fp16,

    /// <summary>bfloat16</summary>
    Bf16,
}
