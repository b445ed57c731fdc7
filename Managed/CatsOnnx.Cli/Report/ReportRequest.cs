// SPDX-License-Identifier: MIT
// What a report was asked for.
using CatsOnnx.Cli.Jobs;

namespace CatsOnnx.Cli.Report;

internal sealed record ReportRequest
{
    public static readonly double[] DefaultSparsities = [.3, .5, .7, .9];

    public required IReadOnlyList<string> Models { get; init; }

    public required string Output { get; init; }

    public IReadOnlyList<string> Texts { get; init; } = [];

    public int? MaxTokens { get; init; }

    public IReadOnlyList<double> Sparsities { get; init; } = DefaultSparsities;

    /// <summary>"layer" or "neuron"; null: "layer" for dense models, a rewritten one's own.</summary>
    public string? Method { get; init; }

    public string? Tokenizer { get; init; }

    public bool Overwrite { get; init; }

    public Placement Placement { get; init; } = Placement.Cpu;

    /// <summary>Tokens before the first timed one: as `cats bench` has it.</summary>
    public int Context => Placement.Device.IsCpu ? 32 : 512;

    /// <summary>Tokens timed: few, a report is no benchmark.</summary>
    public int Steps => Placement.Device.IsCpu ? 24 : 64;
}
