// SPDX-License-Identifier: MIT
// Sees every row of logits of a request, and says how far two rows are apart.
using CatsOnnx.Sampling;

namespace CatsOnnx.Tests.EndToEnd.Cuda;

// Another type than Greedy: the device does not choose, though the same tokens are chosen.
internal sealed class LogitsRecorder : ISampler
{
    private readonly List<float[]> _rows = [];

    public IReadOnlyList<float[]> Rows => _rows;

    public int Sample(ReadOnlySpan<float> logits)
    {
        _rows.Add(logits.ToArray());
        return Greedy.Instance.Sample(logits);
    }

    /// <summary>KL(wanted || actual) of two rows of logits, in nats.</summary>
    public static double Divergence(ReadOnlySpan<float> wanted, ReadOnlySpan<float> actual) =>
        LogSoftmax.Divergence(wanted, LogSoftmax.Measure(wanted), actual, LogSoftmax.Measure(actual));
}
