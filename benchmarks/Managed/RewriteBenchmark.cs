// SPDX-License-Identifier: MIT
// Rewriting a model of any size: peak memory, and speed against cp of the same file in the same run.
using System.Globalization;
using CatsOnnx.Evaluation.Speed;

namespace CatsOnnx.Benchmarks;

internal static class RewriteBenchmark
{
    /// <param name="tool">cats.dll.</param>
    /// <param name="model">The .onnx file to rewrite.</param>
    /// <param name="thresholds">Its thresholds.json.</param>
    /// <param name="work">A folder on the disk to measure; it is used and emptied again.</param>
    /// <param name="pairs">How often each of the two runs.</param>
    /// <param name="table">Takes the rows.</param>
    public static void Run(string tool, string model, string thresholds, string work, int pairs, ResultTable table)
    {
        string[] files = Directory.GetFiles(Path.GetDirectoryName(model)!, Path.GetFileName(model) + "*");
        long bytes = files.Sum(file => new FileInfo(file).Length);
        List<double> copies = [];
        List<double> rewrites = [];
        long peak = 0;
        for (int i = 0; i < pairs; i++)
        {
            if (i % 2 == 0)
            {
                Copy();
                Rewrite();
            }
            else
            {
                Rewrite();
                Copy();
            }
        }

        PairedTiming pair = PairedTiming.Of(copies, rewrites);
        table.Add(
            Path.GetFileName(Path.GetDirectoryName(model)),
            Text(bytes / 1e9, "0.0"),
            Text(pair.CandidateMilliseconds / 1e3, "0.0"),
            Text(bytes / 1e6 / pair.CandidateMilliseconds, "0.00"),
            Text(pair.BaselineMilliseconds / 1e3, "0.0"),
            Text(pair.Ratio, "0.00"),
            Text(peak / 1048576.0, "0"));

        void Copy()
        {
            string target = Directory.CreateDirectory(Path.Combine(work, "copy")).FullName;
            // --sparse=never writes the zeros of holes too; sync -f ends what the page cache still owes the disk.
            copies.Add(ProcessMemory.Watch("bash", ["-c", "cp --sparse=never --reflink=never -t \"$@\" && sync -f \"$1\"", "bash", target, .. files]).Time.TotalMilliseconds);
            Directory.Delete(target, recursive: true);
        }

        void Rewrite()
        {
            string target = Path.Combine(work, "rewritten");
            (TimeSpan time, long highest, _) = ProcessMemory.Watch("dotnet", tool, "rewrite", model, "-o", target, "--thresholds", thresholds, "--check", "off");
            rewrites.Add(time.TotalMilliseconds);
            peak = Math.Max(peak, highest);
            Directory.Delete(target, recursive: true);
        }

        static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
    }
}
