// SPDX-License-Identifier: MIT
// A benchmark's result as a Markdown file: what, where, with which versions, by which command, and the table.
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Benchmarks;

internal sealed class ResultTable(string title, params string[] columns)
{
    private readonly List<string[]> _rows = [];
    private readonly List<string> _notes = [];

    public void Add(params object?[] cells) =>
        _rows.Add([.. cells.Select(cell => Convert.ToString(cell, CultureInfo.InvariantCulture) ?? "")]);

    public void Note(FormattableString note) => _notes.Add(note.ToString(CultureInfo.InvariantCulture));

    /// <summary>Prints the table; with a folder also writes it there.</summary>
    public void Finish(string? folder, string name, string command)
    {
        StringBuilder text = new();
        text.AppendLine(CultureInfo.InvariantCulture, $"# {title}").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"- Command: `{command}`");
        text.AppendLine(CultureInfo.InvariantCulture, $"- Device: {Cpu()}, {Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo(GCKind.Any).TotalAvailableMemoryBytes / 1e9:0} GB");
        text.AppendLine(CultureInfo.InvariantCulture, $"- Versions: ONNX Runtime {OrtEnv.Instance().GetVersionString()}, {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, CatsOnnx {Version()}");
        text.AppendLine(CultureInfo.InvariantCulture, $"- Date: {DateTime.UtcNow:yyyy-MM-dd}");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| {string.Join(" | ", columns)} |");
        text.AppendLine(CultureInfo.InvariantCulture, $"|{string.Concat(Enumerable.Repeat(" --- |", columns.Length))}");
        foreach (string[] row in _rows)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| {string.Join(" | ", row)} |");
        }

        text.AppendLine();
        _notes.ForEach(note => text.AppendLine(note));
        Console.Write(text);
        if (folder is not null)
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, name + ".md"), text.ToString());
            Console.WriteLine($"saved to {Path.Combine(folder, name + ".md")}");
        }
    }

    private static string Version() =>
        typeof(CatsOps).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "?";

    private static string Cpu()
    {
        const string Source = "/proc/cpuinfo";
        string? line = File.Exists(Source) ? File.ReadLines(Source).FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
