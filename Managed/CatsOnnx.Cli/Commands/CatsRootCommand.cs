// SPDX-License-Identifier: MIT
// The root command: the list of verbs. A new verb is one file beside this one and one line here.
using System.CommandLine;
using System.CommandLine.Completions;
using CatsOnnx.Cli.Completion;

namespace CatsOnnx.Cli.Commands;

internal static class CatsRootCommand
{
    /// <summary>Accepted in any position.</summary>
    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "Write one JSON document (chat: one a line) to standard output, all else to standard error",
        Recursive = true,
    };

    public static RootCommand Create()
    {
        RootCommand root = MakeRoot();
        SuggestDirective suggest = root.Directives.OfType<SuggestDirective>().Single();
        suggest.Action = new Suggestions(suggest);
        return root;
    }

    private static RootCommand MakeRoot() => new(
        """
        Makes exported Llama and Mistral ONNX models activation-sparse (CATS) and runs them.

        Exit codes: 0 done, 1 wrong use, 2 bad or unsuitable input, 3 a limit that was asked for was passed.
        """)
    {
        Json,
        InspectCommand.Create(),
        CalibrateCommand.Create(),
        RewriteCommand.Create(),
        RevertCommand.Create(),
        EvalCommand.Create(),
        GenerateCommand.Create(),
        MakeModelCommand.Create(),
        ChatCommand.Create(),
        BenchCommand.Create(),
        ReportCommand.Create(),
        DoctorCommand.Create(),
        DemoCommand.Create(),
        CompletionCommand.Create(),
    };
}
