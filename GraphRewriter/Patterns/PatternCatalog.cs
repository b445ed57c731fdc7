// SPDX-License-Identifier: MIT
// Every form that is recognised, in the order in which it is tried. A new form is a file and a line here.
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;
using CatsOnnx.GraphRewriter.Patterns.GateUp;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Patterns.Silu;

namespace CatsOnnx.GraphRewriter.Patterns;

/// <summary>The forms of a gated MLP's parts.</summary>
internal static class PatternCatalog
{
    /// <summary>Forms of a projection.</summary>
    public static IReadOnlyList<ILinearForm> Linears { get; } =
    [
        new MatMulLinear(),
        new TransposedMatMulLinear(),
        new GemmLinear(),
        new FusedMatMulLinear(),
        new EinsumLinear(),
        new MatMulNBitsLinear(),
        new DequantizedMatMulLinear(),
    ];

    /// <summary>Forms of SiLU.</summary>
    public static IReadOnlyList<ISiluForm> Silus { get; } =
    [
        new SigmoidMulSilu(),
        new SwishSilu(),
        new QuickGeluSilu(),
        new ExpSilu(),
        new ReciprocalSilu(),
    ];

    /// <summary>Forms of silu(gate) * up.</summary>
    public static IReadOnlyList<IGatedProductForm> GatedProducts { get; } =
    [
        new SiluMul(),
        new RegroupedSiluMul(),
        new SwiGlu(),
        new MsSwiGlu(),
    ];

    /// <summary>Forms of gate and up.</summary>
    public static IReadOnlyList<IGateUpForm> GateUps { get; } =
    [
        new SeparateGateUp(),
        new PackedSplitGateUp(),
        new PackedSliceGateUp(),
        new InterleavedGateUp(),
        new PackedViewGateUp(),
        new HalvesGateUp(),
    ];
}
