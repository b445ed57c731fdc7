// SPDX-License-Identifier: MIT
// Pairing of past inputs with present outputs for every naming that exporters use.
using CatsOnnx.Session;

namespace CatsOnnx.Tests.Unit.Host.Session;

public sealed class CacheNamesTests
{
    [Fact]
    public void Names_of_optimum_and_genai_pair_by_name_in_any_order()
    {
        IReadOnlyList<LayerCache> layers = CacheNames.Match(
            ["past_key_values.1.value", "past_key_values.0.key", "past_key_values.1.key", "past_key_values.0.value"],
            ["present.0.key", "present.1.key", "present.0.value", "present.1.value"]).Layers;
        Assert.Equal(new LayerCache("past_key_values.0.key", "past_key_values.0.value", "present.0.key", "present.0.value", 0, 0), layers[0]);
        Assert.Equal(new LayerCache("past_key_values.1.key", "past_key_values.1.value", "present.1.key", "present.1.value", 0, 0), layers[1]);
    }

    [Fact]
    public void Outputs_without_telling_names_pair_by_order()
    {
        IReadOnlyList<LayerCache> layers = CacheNames.Match(
            ["past_key_values_key_cache_0", "past_key_values_key_cache_1", "past_key_values_value_cache_0", "past_key_values_value_cache_1"],
            ["cat_17", "cat_19", "cat_18", "cat_20"]).Layers;
        Assert.Equal(new LayerCache("past_key_values_key_cache_0", "past_key_values_value_cache_0", "cat_17", "cat_18", 0, 0), layers[0]);
        Assert.Equal(new LayerCache("past_key_values_key_cache_1", "past_key_values_value_cache_1", "cat_19", "cat_20", 0, 0), layers[1]);
    }

    [Fact]
    public void Layers_are_in_the_order_of_their_numbers()
    {
        string[] past = [.. Enumerable.Range(0, 12).Reverse().SelectMany(i => (string[])[$"past_{i}_key", $"past_{i}_value"])];
        string[] present = [.. Enumerable.Range(0, 12).SelectMany(i => (string[])[$"present_{i}_key", $"present_{i}_value"])];
        Assert.Equal(Enumerable.Range(0, 12).Select(i => $"present_{i}_value"), CacheNames.Match(past, present).Layers.Select(layer => layer.PresentValue));
    }

    [Fact]
    public void What_cannot_be_paired_is_named()
    {
        Assert.Contains("takes 2", Assert.Throws<InvalidDataException>(() => CacheNames.Match(["past.0.key", "past.0.value"], ["present.0.key"])).Message);
        Assert.Contains("'memory'", Assert.Throws<InvalidDataException>(() => CacheNames.Match(["memory", "past.0.value"], ["a", "b"])).Message);
        Assert.Contains("Layer 0", Assert.Throws<InvalidDataException>(() => CacheNames.Match(["past.0.key", "past.1.value"], ["a", "b"])).Message);
        Assert.Contains("both the keys of layer 0", Assert.Throws<InvalidDataException>(() => CacheNames.Match(["past.0.key", "past_0_key"], ["a", "b"])).Message);
    }
}
