// SPDX-License-Identifier: MIT
// Benchmarks of whole models and of one MLP through ONNX Runtime, dense and sparse in one run. Each prints a table and,
// with --save, puts it into benchmarks/results/<device>.
using CatsOnnx.Benchmarks;

return await BenchmarkCommands.RunAsync(args);
