// SPDX-License-Identifier: MIT
// The thresholds that each calibration method chooses.
using CatsOnnx.Calibration;
using CatsOnnx.Calibration.Methods;

namespace CatsOnnx.Tests.Unit.Calibration;

public sealed class ThresholdMethodTests
{
    [Fact]
    public void The_layer_method_gives_one_quantile()
    {
        GateHistogram histogram = Evenly(1000);
        Assert.Equal([histogram.Quantile(0.7)], new LayerMethod().Choose(histogram, [], 0.7).Thresholds);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    public void The_sparsity_on_the_text_is_the_one_asked_for(double sparsity)
    {
        Assert.Equal(sparsity, new LayerMethod().Choose(Evenly(1000), [], sparsity).Sparsity, 2e-3);
        Assert.Equal(sparsity, new NeuronMethod().Choose(Evenly(1000), [0.5f, 1.5f], sparsity).Sparsity, 2e-3);
    }

    [Fact]
    public void Sparsity_0_keeps_everything()
    {
        Assert.Equal([0f], new LayerMethod().Choose(Evenly(1000), [], 0).Thresholds);
        Assert.Equal([0f, 0f], new NeuronMethod().Choose(Evenly(1000), [0.5f, 1.5f], 0).Thresholds);
    }

    [Fact]
    public void Neurons_weigh_as_much_as_their_mean_up_does_in_the_layer()
        => Assert.Equal([0.5f, 1f, 1.5f], new NeuronMethod().Weigh([10, 20, 30], 7));

    [Fact]
    public void The_neuron_method_divides_the_quantile_by_the_weight()
    {
        GateHistogram histogram = Evenly(1000);
        float quantile = histogram.Quantile(0.5);
        Assert.Equal([quantile / 0.5f, quantile / 1.5f], new NeuronMethod().Choose(histogram, [0.5f, 1.5f], 0.5).Thresholds);
    }

    [Fact]
    public void A_neuron_whose_up_is_always_0_is_never_kept_and_its_threshold_is_finite()
    {
        float[] weights = new NeuronMethod().Weigh([0, 2], 1);
        Assert.Equal([0f, 2f], weights);
        Assert.Equal(float.MaxValue, new NeuronMethod().Choose(Evenly(10), weights, 0.5).Thresholds[0]);
        Assert.Equal([1f, 1f], new NeuronMethod().Weigh([0, 0], 1));
    }

    [Fact]
    public void An_up_that_is_no_number_is_refused()
        => Assert.Throws<InvalidDataException>(() => new NeuronMethod().Weigh([1, double.NaN], 1));

    [Fact]
    public void An_unknown_method_is_refused_with_the_known_ones()
    {
        Assert.Same(MethodCatalog.All[0], MethodCatalog.Get("layer"));
        string message = Assert.Throws<ArgumentException>(() => MethodCatalog.Get("column")).Message;
        Assert.Contains("column", message);
        Assert.Contains("layer, neuron", message);
    }

    private static GateHistogram Evenly(int count)
    {
        GateHistogram histogram = new();
        for (int i = 0; i < count; i++)
        {
            histogram.Add((i + 0.5f) / count);
        }

        return histogram;
    }
}
