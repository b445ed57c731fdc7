// SPDX-License-Identifier: MIT
// The findings of one cats doctor, in the order in which they were made. People read each as it comes.
using System.Text.Json.Nodes;
using CatsOnnx.Cli.Terminal;

namespace CatsOnnx.Cli.Jobs.Doctor;

internal sealed class Findings(ToolOutput output)
{
    private const int NameWidth = 12;
    private const int LevelWidth = 7;

    private readonly List<Finding> _all = [];

    /// <summary>How many are problems.</summary>
    public int Problems => _all.Count(finding => finding.Level == FindingLevel.Problem);

    public JsonArray ToJson() => [.. _all.Select(finding => (JsonNode)finding.ToJson())];

    public void Ok(string what, FormattableString found) => Add(new Finding(FindingLevel.Ok, what, ToolOutput.Format(found), null));

    public void Note(string what, FormattableString found, string? todo = null) => Add(new Finding(FindingLevel.Note, what, ToolOutput.Format(found), todo));

    public void Problem(string what, FormattableString found, string todo) => Add(new Finding(FindingLevel.Problem, what, ToolOutput.Format(found), todo));

    /// <summary>A note where the thing was not asked for, a problem where it was.</summary>
    public void NoteOrProblem(bool needed, string what, FormattableString found, string todo) =>
        Add(new Finding(needed ? FindingLevel.Problem : FindingLevel.Note, what, ToolOutput.Format(found), todo));

    private void Add(Finding finding)
    {
        finding = finding with { Found = OneLine(finding.Found) };
        _all.Add(finding);
        output.Line($"{finding.LevelName.PadRight(LevelWidth)}  {finding.What.PadRight(NameWidth)}  {finding.Found}");
        if (finding.Todo is { } todo)
        {
            output.Line($"{new string(' ', LevelWidth + NameWidth + 4)}-> {todo}");
        }
    }

    private static string OneLine(string text) =>
        string.Join(' ', text.Split(['\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
