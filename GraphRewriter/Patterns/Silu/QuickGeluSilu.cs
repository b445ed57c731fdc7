// SPDX-License-Identifier: MIT
// gate ── com.microsoft.QuickGelu(alpha = 1) ── output
// Emitted by: ONNX Runtime's extended optimizations, Optimum's O2. Its default alpha, 1.702, is no SiLU.
using CatsOnnx.GraphRewriter.Matching;

namespace CatsOnnx.GraphRewriter.Patterns.Silu;

/// <summary>QuickGelu with alpha 1.</summary>
internal sealed class QuickGeluSilu() : AlphaSilu(Pattern.Microsoft("QuickGelu", Pattern.Value("gate")), 1.702f);
