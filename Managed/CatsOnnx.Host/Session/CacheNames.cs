// SPDX-License-Identifier: MIT
// Which past input belongs to which present output: by name where names say so, else by order.
using System.Text.RegularExpressions;

namespace CatsOnnx.Session;

/// <summary>The pairs of past and present, layer by layer.
/// Names seen: past_key_values.N.key -> present.N.key (Optimum, GenAI, mobius), past_key_values_key_cache_N -> any name
/// (torch dynamo given a DynamicCache), past_key_N, key_cache.N and the like.</summary>
internal sealed partial class CacheNames
{
    public required IReadOnlyList<LayerCache> Layers { get; init; }

    /// <summary>Pairs the names; sizes of the layers are left 0.</summary>
    /// <exception cref="InvalidDataException">They cannot be paired; the message names the first that is alone.</exception>
    public static CacheNames Match(IReadOnlyList<string> past, IReadOnlyList<string> present)
    {
        if (past.Count != present.Count || past.Count % 2 != 0)
        {
            throw new InvalidDataException($"The graph takes {past.Count} tensors of keys and values ({Some(past)}), but gives {present.Count} ({Some(present)}).");
        }

        (int Layer, bool IsValue)[] inputs = [.. past.Select(name => Parse(name) ?? throw new InvalidDataException(
            $"Input '{name}' is not understood: the name of a key or value input says key or value and its layer, such as past_key_values.0.key."))];
        (int Layer, bool IsValue)?[] outputs = [.. present.Select(Parse)];
        bool byName = outputs.All(place => place is not null) && outputs.Select(place => place!.Value).ToHashSet().SetEquals(inputs);
        Dictionary<(int Layer, bool IsValue), (string Past, string Present)> pairs = [];
        for (int i = 0; i < past.Count; i++)
        {
            string partner = byName ? present[Array.IndexOf(outputs, inputs[i])] : present[i];
            if (!pairs.TryAdd(inputs[i], (past[i], partner)))
            {
                throw new InvalidDataException($"Inputs '{pairs[inputs[i]].Past}' and '{past[i]}' are both the {(inputs[i].IsValue ? "values" : "keys")} of layer {inputs[i].Layer}.");
            }
        }

        List<LayerCache> layers = [];
        foreach (int layer in inputs.Select(place => place.Layer).Distinct().Order())
        {
            if (!pairs.TryGetValue((layer, false), out (string Past, string Present) key) || !pairs.TryGetValue((layer, true), out (string Past, string Present) value))
            {
                throw new InvalidDataException($"Layer {layer} has keys or values, not both ({Some(past)}).");
            }

            layers.Add(new LayerCache(key.Past, value.Past, key.Present, value.Present, 0, 0));
        }

        return new CacheNames { Layers = layers };
    }

    private static (int Layer, bool IsValue)? Parse(string name)
    {
        string bare = CommonPart().Replace(name, "");
        Match number = Number().Match(bare);
        bool value = bare.Contains("value", StringComparison.Ordinal);
        bool key = bare.Contains("key", StringComparison.Ordinal);
        return number.Success && key != value && int.TryParse(number.Value, out int layer) ? (layer, value) : null;
    }

    private static string Some(IReadOnlyList<string> names) => names.Count <= 4 ? string.Join(", ", names) : string.Join(", ", names.Take(4)) + ", ...";

    [GeneratedRegex("(past|present)_key_values?")]
    private static partial Regex CommonPart();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Number();
}
