// SPDX-License-Identifier: MIT
// One MLP, dense and sparse in turns, over sparsities and row counts.
using System.Globalization;
using CatsOnnx.Evaluation.Speed;

namespace CatsOnnx.Benchmarks;

internal static class MlpBenchmark
{
    public static void Run(
        string work, int hidden, int intermediate, IReadOnlyList<double> sparsities, IReadOnlyList<int> rows, int copies, int threads, int pairs, ResultTable table)
    {
        foreach (double sparsity in sparsities)
        {
            string folder = Directory.CreateDirectory(Path.Combine(work, $"mlp-{Path.GetRandomFileName()}")).FullName;
            try
            {
                using MlpComparison comparison = MlpComparison.Create(folder, hidden, intermediate, sparsity, copies, threads);
                foreach (int count in rows)
                {
                    // Many rows take long: fewer pairs, never below 5.
                    PairedTiming timing = comparison.Measure(count, Math.Max(5, pairs / Math.Max(1, count / 8)));
                    double gigabytes = (1 / 3.0) + (2 / 3.0 * (1 - sparsity));
                    table.Add(
                        Text(sparsity, "0%"),
                        count,
                        Text(timing.BaselineMilliseconds, "0.00"),
                        Text(timing.CandidateMilliseconds, "0.00"),
                        Text(timing.Ratio, "0.00"),
                        $"{Text(timing.LowerRatio, "0.00")} to {Text(timing.UpperRatio, "0.00")}",
                        count == 1 ? Text(comparison.WeightBytes / copies * gigabytes / timing.CandidateMilliseconds / 1e6, "0.0") : "",
                        timing.Pairs);
                }

                table.Note($"At {sparsity:0%} and threshold scale 0 the sparse output differs from the dense one by {comparison.DifferenceAtScaleZero():0.0e+0} of its largest value.");
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
    }
}
