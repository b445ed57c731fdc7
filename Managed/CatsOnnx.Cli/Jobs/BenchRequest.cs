// SPDX-License-Identifier: MIT
// What a benchmark was asked for, and what it found.
using System.Text.Json.Nodes;
using CatsOnnx.Calibration;
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Evaluation.Speed;
using CatsOnnx.GraphRewriter.Synthesis;

namespace CatsOnnx.Cli.Jobs;

internal sealed record BenchRequest
{
    /// <summary>A dense model; null where <see cref="Shape"/> is given.</summary>
    public string? Model { get; init; }

    public DecoderShape? Shape { get; init; }

    public DecoderDtype Dtype { get; init; }

    public IReadOnlyList<string> Texts { get; init; } = [];

    /// <summary>What a calibration saw already; null makes one.</summary>
    public GateObservations? Observations { get; init; }

    public required IReadOnlyList<double> Sparsities { get; init; }

    public required IReadOnlyList<int> Rows { get; init; }

    public IReadOnlyList<int> Prefill { get; init; } = [];

    public required int Context { get; init; }

    public required int Steps { get; init; }

    /// <summary>Whether norms join the sparse MLPs' kernels; null: as sessions have it by default.</summary>
    public bool? FuseNorms { get; init; }

    public string? Work { get; init; }

    public required Placement Placement { get; init; }
}

/// <summary>Decoding at one sparsity with one number of sequences.</summary>
/// <param name="Target">Sparsity asked for.</param>
/// <param name="Measured">Sparsity of the timed text's neighbours.</param>
/// <param name="Rows">Sequences.</param>
/// <param name="CudaGraph">Whether a CUDA graph was replayed.</param>
/// <param name="Token">A step, dense and sparse.</param>
/// <param name="RestMilliseconds">A step without the MLPs.</param>
/// <param name="Layers">MLPs of a step.</param>
/// <param name="DenseBytes">Weights of all MLPs.</param>
/// <param name="ReadCeiling">Bytes a second, or null.</param>
internal sealed record BenchRow(
    double Target, double? Measured, int Rows, bool CudaGraph, PairedTiming Token, double RestMilliseconds, int Layers, long DenseBytes, double? ReadCeiling)
{
    public double DenseMlp => 1e3 * (Token.BaselineMilliseconds - RestMilliseconds) / Layers; // us

    public double SparseMlp => 1e3 * (Token.CandidateMilliseconds - RestMilliseconds) / Layers; // us

    /// <summary>What the sparse MLPs read in a step: all of gate, the kept rows of up and down. Of one sequence; the union of several is not known.</summary>
    public double? SparseBytes => Rows == 1 && Measured is { } skipped ? DenseBytes * (1 + (2 * (1 - skipped))) / 3 : null;

    public double? SparseRate => SparseBytes / (Layers * SparseMlp * 1e-6); // bytes a second

    public static string Header =>
        "| sparsity | measured | rows | CUDA graph | dense, ms | sparse, ms | **x dense** | quartiles | MLP dense, us | MLP sparse, us | x dense | MLP reads, MB | of read ceiling |\n"
        + "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |";

    public string Line() => ToolOutput.Format(
        $"| {Target:0%} | {Quantity.Percent(Measured)} | {Rows} | {(CudaGraph ? "yes" : "no")} | {Token.BaselineMilliseconds:0.000} | {Token.CandidateMilliseconds:0.000} | **{Token.Ratio:0.000}** | {Token.LowerRatio:0.000} to {Token.UpperRatio:0.000} | {DenseMlp:0.0} | {SparseMlp:0.0} | {DenseMlp / SparseMlp:0.00} | {(SparseBytes is { } bytes ? ToolOutput.Format($"{bytes / Layers / 1e6:0.0}") : "-")} | {Quantity.Percent(SparseRate / ReadCeiling)} |");

    public JsonObject Json() => new()
    {
        ["target_sparsity"] = Target,
        ["sparsity"] = ToolOutput.Number(Measured),
        ["rows"] = Rows,
        ["cuda_graph"] = CudaGraph,
        ["dense_ms"] = Token.BaselineMilliseconds,
        ["sparse_ms"] = Token.CandidateMilliseconds,
        ["speedup"] = Token.Ratio,
        ["speedup_quartiles"] = new JsonArray(Token.LowerRatio, Token.UpperRatio),
        ["without_mlps_ms"] = RestMilliseconds,
        ["dense_mlp_us"] = DenseMlp,
        ["sparse_mlp_us"] = SparseMlp,
        ["mlp_bytes"] = ToolOutput.Number(SparseBytes / Layers),
        ["share_of_read_ceiling"] = ToolOutput.Number(SparseRate / ReadCeiling),
        ["pairs"] = Token.Pairs,
    };
}

/// <summary>Reading a prompt at the first sparsity.</summary>
/// <param name="Tokens">Its length.</param>
/// <param name="Time">Dense and sparse.</param>
internal sealed record PrefillRow(int Tokens, PairedTiming Time)
{
    public static string Header => "| prompt, tokens | dense, ms | sparse, ms | **x dense** | quartiles |\n| --- | --- | --- | --- | --- |";

    public string Line() => ToolOutput.Format(
        $"| {Tokens} | {Time.BaselineMilliseconds:0.00} | {Time.CandidateMilliseconds:0.00} | **{Time.Ratio:0.000}** | {Time.LowerRatio:0.000} to {Time.UpperRatio:0.000} |");

    public JsonObject Json() => new()
    {
        ["tokens"] = Tokens,
        ["dense_ms"] = Time.BaselineMilliseconds,
        ["sparse_ms"] = Time.CandidateMilliseconds,
        ["speedup"] = Time.Ratio,
    };
}
