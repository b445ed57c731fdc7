// SPDX-License-Identifier: MIT
// One small run of every verb, for tests of what all verbs have in common.
namespace CatsOnnx.Tests.EndToEnd;

internal static class CliVerbs
{
    /// <summary>What the tool says there is: the verbs that a shell completes.</summary>
    public static string[] All { get; } = CliTool.Run("[suggest:5]", "cats ").Expect(0).Output.TrimEnd('\n').Split('\n');

    /// <summary>The verb's arguments for a run of a second or so; demo takes ten.</summary>
    /// <param name="verb">The verb.</param>
    /// <param name="sparse">The demo model, rewritten.</param>
    /// <param name="output">A file or folder that is not there, for the verbs that write.</param>
    public static string[] SmallRun(string verb, string sparse, string output)
    {
        string text = Path.Combine(CliTool.DemoModel, "calibrate.txt");
        return verb switch
        {
            "inspect" => ["inspect", CliTool.DemoModel],
            "calibrate" => ["calibrate", CliTool.DemoModel, "--text", text, "--max-tokens", "1024", "-o", output],
            "rewrite" => ["rewrite", CliTool.DemoModel, "-o", output, "--thresholds", Path.Combine(sparse, "thresholds.json"), "--check", "on"],
            "revert" => ["revert", sparse, "-o", output],
            "eval" => ["eval", sparse, "--text", text, "--max-tokens", "1024"],
            "generate" => ["generate", sparse, "--prompt", "x", "--max-new-tokens", "4"],
            "make-model" => ["make-model", "--shape", "tiny", "-o", output],
            "chat" => ["chat", sparse, "--raw", "--max-new-tokens", "4"],
            "bench" => ["bench", "--shape", "tiny", "--steps", "8", "--context", "1", "--prefill", "4"],
            "report" => ["report", CliTool.DemoModel, "-o", output],
            "doctor" => ["doctor", sparse, "--no-measure"],
            "demo" => ["demo"],
            "completion" => ["completion", "bash"],
            _ => throw new InvalidOperationException($"The verb '{verb}' has no small run: give it one."),
        };
    }
}
