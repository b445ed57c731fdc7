// SPDX-License-Identifier: MIT
// The operators of domain ai.cats as graphs hold them, in files or in memory: the C# twin of docs/op-spec.md.
namespace CatsOnnx.GraphRewriter;

/// <summary>One operator.</summary>
/// <param name="Name">Its op_type.</param>
/// <param name="Inputs">Names of its inputs, in order.</param>
/// <param name="RequiredInputs">How many of them every node has.</param>
/// <param name="Outputs">Names of its outputs, in order; nodes on disk write all of them.</param>
/// <param name="Attributes">Names of its attributes.</param>
public sealed record OpSchema(
    string Name, IReadOnlyList<string> Inputs, int RequiredInputs, IReadOnlyList<string> Outputs, IReadOnlyList<string> Attributes);

/// <summary>The operators, their domain, and the names that rewritten models share.</summary>
public static class OpSchemas
{
    /// <summary>The operators' domain.</summary>
    public const string Domain = "ai.cats";

    /// <summary>The domain's version.</summary>
    public const int Version = 1;

    /// <summary>Bins of GateObserver's histogram: float32 bits of abs(a) shifted right by 16.</summary>
    public const int HistogramBins = 32768;

    /// <summary>The graph input that scales every threshold: 1 as exported, 0 for the dense model.</summary>
    public const string ThresholdScale = "cats.threshold_scale";

    /// <summary>The unfused activation: X: T [..., I], threshold: float [] or [I], threshold_scale: float [] or one per row; Y: T [..., I].</summary>
    public static OpSchema CatsThreshold { get; } = new("CatsThreshold", ["X", "threshold", "threshold_scale"], 2, ["Y"], []);

    /// <summary>
    /// The fused MLP: X: T [..., H], gate, up, down: T [I, H], threshold: float [] or [I], gate_bias, up_bias: T [I], down_bias: T [H],
    /// threshold_scale: float [] or one per row; Y: T [..., H], active: int32 [...].
    /// </summary>
    public static OpSchema SparseGatedMlp { get; } = new(
        "SparseGatedMlp",
        ["X", "gate", "up", "down", "threshold", "gate_bias", "up_bias", "down_bias", "threshold_scale"],
        5,
        ["Y", "active"],
        ["activation", "selector", "screen"]);

    /// <summary>
    /// Calibration: A, U: T [..., I], weight: float [I], mask: bool [...]; Y: A passed through, counts: int64 [32768], up_abs_sum: double [I], tokens: int64 [].
    /// </summary>
    public static OpSchema GateObserver { get; } = new(
        "GateObserver", ["A", "U", "weight", "mask"], 2, ["Y", "counts", "up_abs_sum", "tokens"], []);

    /// <summary>
    /// The fused MLP with the residual addition and the RMS norm before it; in graphs in memory alone
    /// (<see cref="Passes.FuseSkipRMSNorm"/>), no file has it. X: T [..., H], skip: T, the shape of X, or that without or with 1 as
    /// first dimension, norm_weight: T [H], norm_epsilon: float [], the rest as <see cref="SparseGatedMlp"/>'s; Y: T [..., H],
    /// active: int32 [...], sum: T [..., H], which is X + skip rounded to T.
    /// </summary>
    public static OpSchema SkipRMSNormSparseGatedMlp { get; } = new(
        "SkipRMSNormSparseGatedMlp",
        [
            "X", "skip", "norm_weight", "norm_epsilon",
            "gate", "up", "down", "threshold", "gate_bias", "up_bias", "down_bias", "threshold_scale",
        ],
        8,
        ["Y", "active", "sum"],
        ["activation", "selector", "screen"]);

    /// <summary>Every operator that this version puts into graphs; <see cref="SkipRMSNormSparseGatedMlp"/> never into a file.</summary>
    public static IReadOnlyList<OpSchema> All { get; } = [CatsThreshold, SparseGatedMlp, SkipRMSNormSparseGatedMlp, GateObserver];
}
