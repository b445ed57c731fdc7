// SPDX-License-Identifier: MIT
// The blocks of docs/tutorial.md that are marked as run, and whether an output is the one that the page shows.
using System.Globalization;
using System.Text.RegularExpressions;

namespace CatsOnnx.Tests.EndToEnd.Tutorial;

/// <param name="Script">Commands for bash.</param>
/// <param name="ExitCode">How they end.</param>
/// <param name="Shown">The output as the page shows it: "..." stands for anything in a line, and as a line for any lines.</param>
internal sealed record TutorialStep(string Script, int ExitCode, string[] Shown);

internal static partial class TutorialPage
{
    // Numbers may differ by this share: another instruction set sums in another order.
    private const double Tolerance = 0.01;

    public static IReadOnlyList<TutorialStep> Read(string markdown) =>
    [
        .. Step().Matches(markdown).Select(step => new TutorialStep(
            step.Groups["script"].Value,
            step.Groups["code"].Success ? int.Parse(step.Groups["code"].Value, CultureInfo.InvariantCulture) : 0,
            step.Groups["shown"].Value.TrimEnd('\n').Split('\n'))),
    ];

    /// <summary>The first line that is not as shown, or null. Lines come in the order shown, directly one after the other
    /// unless "..." stands between them.</summary>
    public static string? Difference(string[] shown, string[] output)
    {
        int next = 0;
        bool gap = false;
        foreach (string line in shown)
        {
            if (line == "...")
            {
                gap = true;
                continue;
            }

            int last = gap ? output.Length : Math.Min(next + 1, output.Length);
            int found = Enumerable.Range(next, last - next).FirstOrDefault(i => Matches(line, output[i]), -1);
            if (found < 0)
            {
                return $"shown: {line}\n  real: {(gap ? "nowhere" : output.ElementAtOrDefault(next) ?? "(no more lines)")}";
            }

            next = found + 1;
            gap = false;
        }

        return gap || next == output.Length ? null : $"shown: (no more lines)\n  real: {output[next]}";
    }

    /// <summary>Whether a line is as shown: words equal, numbers nearly, times and speeds whatever they are. The width of
    /// columns is that of their numbers, so a run of spaces is one.</summary>
    public static bool Matches(string shown, string line)
    {
        shown = Spaces().Replace(shown.TrimEnd(), " ");
        string pattern = "^";
        List<double> numbers = [];
        int end = 0;
        foreach (Match part in Part().Matches(shown))
        {
            pattern += Regex.Escape(shown[end..part.Index]);
            end = part.Index + part.Length;
            if (part.Value == "...")
            {
                pattern += ".*?";
            }
            else if (part.Groups["measured"].Success)
            {
                pattern += Number().Replace(Regex.Escape(part.Value), "[0-9.]+");
            }
            else if (double.TryParse(part.Value, CultureInfo.InvariantCulture, out double number))
            {
                numbers.Add(number);
                pattern += @"(\d+(?:\.\d+)?)";
            }
            else
            {
                pattern += Regex.Escape(part.Value); // a version
            }
        }

        Match match = Regex.Match(Spaces().Replace(line.TrimEnd(), " "), pattern + Regex.Escape(shown[end..]) + "$");
        return match.Success && numbers.Select((number, i) =>
            Math.Abs(double.Parse(match.Groups[i + 1].Value, CultureInfo.InvariantCulture) - number) <= Tolerance * number).All(near => near);
    }

    [GeneratedRegex(@"^<!-- run(?:, exit code (?<code>\d+))? -->\n```bash\n(?<script>.*?)^```\n```text\n(?<shown>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Step();

    // Measured: a number with a unit of time or speed, a speed in bold (x over dense), cells and ratios around it.
    [GeneratedRegex(@"\.\.\.|(?<measured>\*\*[\d.]+\*\*|\d+(?:\.\d+)? (?:s|ms|us|tokens/s(?: x[\d.]+)?|GB/s)(?![\w/]))|\d+(?:\.\d+)*")]
    private static partial Regex Part();

    [GeneratedRegex(@"\d+(?:\\\.\d+)?")]
    private static partial Regex Number();

    [GeneratedRegex(" +")]
    private static partial Regex Spaces();
}
