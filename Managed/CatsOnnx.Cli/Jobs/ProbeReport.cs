// SPDX-License-Identifier: MIT
// What dense probes gave, for people and as JSON.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Generation;

namespace CatsOnnx.Cli.Jobs;

internal static class ProbeReport
{
    /// <summary>A part of a line: "; KL 0.0321, top-1 as dense 88.0% (25 probes)"; nothing where there were none.</summary>
    public static string Text(ProbeStatistics? probes) =>
        probes is null ? "" : ToolOutput.Format($"; KL {probes.Kl:0.####}, top-1 as dense {Quantity.Percent(probes.Top1Agreement)} ({probes.Count} probes)");

    /// <summary>Adds the fields dense_probes, kl (nats), top1_agreement (0 to 1) and dense_probe_seconds.</summary>
    /// <param name="to">Where they go.</param>
    /// <param name="probes">The probes; null: there were none.</param>
    public static JsonObject AddTo(JsonObject to, ProbeStatistics? probes)
    {
        to["dense_probes"] = probes?.Count ?? 0;
        to["kl"] = ToolOutput.Number(probes?.Kl);
        to["top1_agreement"] = ToolOutput.Number(probes?.Top1Agreement);
        to["dense_probe_seconds"] = probes?.Elapsed.TotalSeconds ?? 0;
        return to;
    }
}
