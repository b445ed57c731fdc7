// SPDX-License-Identifier: MIT
// Adds up the active neurons that a graph with exposed counts reports.
namespace CatsOnnx.Generation;

/// <summary>Active neurons over tokens and layers.</summary>
/// <param name="neurons">The neurons of the MLP that each output counts: output name to intermediate size.</param>
internal sealed class ActiveCounter(IReadOnlyDictionary<string, int> neurons)
{
    private long _active;
    private long _all;

    /// <summary>The outputs that are counted.</summary>
    public IEnumerable<string> Outputs => neurons.Keys;

    /// <summary>The share of neurons that were skipped, or null where nothing was counted.</summary>
    public double? Sparsity => _all > 0 ? 1 - ((double)_active / _all) : null;

    /// <summary>Adds one run's counts.</summary>
    /// <param name="output">The output's name.</param>
    /// <param name="active">Active neurons of each token, flat.</param>
    public void Add(string output, ReadOnlySpan<int> active)
    {
        foreach (int count in active)
        {
            _active += count;
        }

        _all += (long)active.Length * neurons[output];
    }
}
