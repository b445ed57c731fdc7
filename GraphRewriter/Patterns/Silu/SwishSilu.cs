// SPDX-License-Identifier: MIT
// gate ── Swish(alpha = 1) ── output
// Emitted by: exporters of opset 24 and later.
using CatsOnnx.GraphRewriter.Matching;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>ONNX Swish with alpha 1, which is its default.</summary>
internal sealed class SwishSilu() : AlphaSilu(Pattern.Node("Swish", Pattern.Value("gate")), 1);
