// SPDX-License-Identifier: MIT
// Typical mistakes: the message names the thing that is wrong and says what to do next.
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliMistakeTests : IClassFixture<CliRewriteTests.DemoRewrite>, IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _sparse;

    public CliMistakeTests(CliRewriteTests.DemoRewrite demo)
    {
        _sparse = demo.Output;
        Directory.CreateDirectory(_folder["full", "inner"]);
        Directory.CreateDirectory(_folder["empty"]);
        File.WriteAllText(_folder["short.txt"], "Too short.");
    }

    // D: the demo model, S: the demo model rewritten, T: a text; @name: a path in a folder of the test.
    public static TheoryData<string, int, string, string> Mistakes => new()
    {
        { "", 1, "give a verb", "cats --help" },
        { "inspct D", 1, "'inspct'", "inspect, " },
        { "inspect", 1, "MODEL", "cats inspect --help" },
        { "inspect @nowhere", 2, "nowhere' (looked in ", "cats make-model" },
        { "inspect @empty", 2, "empty'", "looked for model.onnx" },
        { "inspect @short.txt", 2, "short.txt'", "Give a model folder or an .onnx file" },
        { "inspect D --jsno", 1, "'--jsno'", "cats inspect --help" },
        { "rewrite D -o @out", 1, "--thresholds FILE", "cats rewrite --help" },
        { "rewrite D -o @out --text @nowhere.txt", 2, "nowhere.txt'", "--text FILE" },
        { "rewrite D -o @out --text @short.txt", 2, "short.txt", "Give (more) UTF-8 text" },
        { "rewrite D -o @out --text T --sparsity 50", 1, "'50'", "0.5 is 50%" },
        { "rewrite D -o @out --thresholds @nowhere.json", 2, "nowhere.json'", "cats calibrate" },
        { "rewrite D -o @out --thresholds D/genai_config.json", 2, "genai_config.json", "cats calibrate" },
        { "rewrite D -o @full --text T", 2, "full'", "--overwrite" },
        { "rewrite D -o D/inner --text T", 1, "inner'", "give another folder" },
        { "rewrite D -o @short.txt --text T", 2, "short.txt'", "give a folder" },
        { "rewrite D -o /proc/out --text T", 2, "'/proc/out'", "give another folder" },
        { "rewrite D -o @out --text T --rid win-x64", 2, "win-x64", "--rid none" },
        { "revert D -o @out", 2, "model.onnx", "cats rewrite" },
        { "calibrate D --text T -o @nowhere/t.json", 2, "nowhere'", "make it" },
        { "calibrate D --text T -o @empty", 2, "empty'", "give a file" },
        { "calibrate --merge D/genai_config.json -o @t.json", 2, "genai_config.json", "cats calibrate --shard" },
        { "calibrate D --text T --shard 3/2 -o @t.json", 1, "'3/2'", "as 2/8" },
        { "eval S --text T --max-kl 1", 1, "--max-kl", "--against MODEL" },
        { "eval D --text T --max-tokens 512 --threshold-scale 1", 2, "model.onnx'", "cats rewrite" },
        { "generate D", 1, "'--prompt'", "cats generate --help" },
        { "generate D --prompt x --device tpu", 1, "'tpu'", "cpu, cuda or cuda:N" },
        { "generate D --prompt x --tokenizer @nowhere", 2, "nowhere'", "tokenizer.json" },
        { "chat D", 2, "no chat template", "--raw" },
        { "chat D --chat-template @nowhere", 2, "nowhere'", "--raw" },
        { "chat D --raw --threshold-scale 2", 2, "is dense", "cats rewrite" },
        { "make-model --shape huge -o @out", 1, "'huge'", "tinyllama-1.1b" },
        { "bench", 1, "MODEL", "--shape NAME" },
        { "bench S", 2, "rewritten already", "cats revert" },
        { "bench --shape tiny --work @nowhere", 2, "nowhere'", "make it" },
        { "report D -o @out --sparsity 2", 1, "'2'", "0.5 is 50%" },
        { "completion tcsh", 1, "'tcsh'", "bash, zsh, fish, pwsh" },
        { "completion", 1, "SHELL", "cats completion --help" },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_named_and_the_next_step_said(string line, int exitCode, string named, string next)
    {
        string[] before = Directory.GetFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories);
        CliRun run = CliTool.RunWithInput([], [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Path)]).Expect(exitCode);
        string message = Assert.Single(run.Error.TrimEnd('\n').Split('\n'), text => text.StartsWith("error: ", StringComparison.Ordinal));
        Assert.Contains(named, message, StringComparison.Ordinal);
        Assert.Contains(next, message, StringComparison.Ordinal);
        Assert.DoesNotContain("(Parameter", message, StringComparison.Ordinal);
        Assert.Equal(before, Directory.GetFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories));

        string Path(string word) => word switch
        {
            "S" => _sparse,
            "T" => System.IO.Path.Combine(CliTool.DemoModel, "calibrate.txt"),
            ['@', .. var name] => _folder[name],
            "D" => CliTool.DemoModel,
            ['D', '/', .. var rest] => System.IO.Path.Combine(CliTool.DemoModel, rest),
            _ => word,
        };
    }
}
