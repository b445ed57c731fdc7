// SPDX-License-Identifier: MIT
// A session whose graph, in memory only, also says how many neurons of each sparse layer were active.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;

namespace CatsOnnx.Cli.Jobs;

internal sealed class CountingSession : IDisposable
{
    private CountingSession(ModelSession session, IReadOnlyDictionary<string, int> activeOutputs)
    {
        Session = session;
        ActiveOutputs = activeOutputs;
    }

    public ModelSession Session { get; }

    /// <summary>Outputs with active neurons, and the layer's number of neurons; empty for a dense model.</summary>
    public IReadOnlyDictionary<string, int> ActiveOutputs { get; }

    public static CountingSession Open(ModelInput input)
    {
        OnnxModel graph = input.Graph.Clone();
        IReadOnlyList<ActiveCount> counts = ExposeActiveCounts.Apply(graph);
        ModelSession session = counts.Count == 0
            ? ModelSession.Open(input.Folder, Sessions.Options)
            : ModelSession.Open(graph.ToBytes(), input.Folder, Sessions.Options, [.. counts.Select(count => count.Output)]);
        return new CountingSession(session, counts.ToDictionary(count => count.Output, count => count.IntermediateSize));
    }

    public void Dispose() => Session.Dispose();
}
