// SPDX-License-Identifier: MIT
// cats completion: the scripts in the shells that they are for, asked as Tab asks them.
using System.Diagnostics;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

public sealed class CliCompletionTests(ITestOutputHelper log)
{
    private const string Files = "FILES";

    // A line up to the cursor, and what may stand in place of its last word; FILES: left to the shell.
    private static readonly (string Line, string[] Words)[] s_lines =
    [
        ("cats re", ["report", "revert", "rewrite"]),
        ("cats --json rew", ["rewrite"]),
        ("cats inspect ", [Files]),
        ("cats rewrite model --m", ["--max-tokens", "--method"]),
        ("cats rewrite model --method ", ["layer", "neuron"]),
        ("cats rewrite model --text a.txt b.txt --che", ["--check"]),
        ("cats rewrite model --text ", [Files]),
        ("cats rewrite model --overwrite --unf", ["--unfused"]),
        ("cats bench --shape ti", ["tiny", "tinyllama-1.1b"]),
        ("cats make-model --dtype ", ["bf16", "fp16", "fp32"]),
        ("cats eval model --device ", ["cpu", "cuda"]),
        ("cats completion ", ["bash", "fish", "pwsh", "zsh"]),
        ("cats chat --raw --temp", ["--temperature"]),
        ("cats eval model --device=", ["--device=cpu", "--device=cuda"]),
        ("cats eval model --device=c", ["--device=cpu", "--device=cuda"]),
        ("cats rewrite model --overwrite --method=ne", ["--method=neuron"]),
        ("cats make-model --shape=ti", ["--shape=tiny", "--shape=tinyllama-1.1b"]),
        ("cats rewrite model --text=", [Files]),
        ("cats eval model --no-such-option=", [Files]),
    ];

    private static readonly Dictionary<string, string> s_drivers = new()
    {
        ["bash"] = """
            source "$1"; shift
            cats() { dotnet "$CATS" "$@"; }
            complete -p cats >&2
            for line; do
              read -ra COMP_WORDS <<<"${line//=/ = }"
              [[ $line != *[\ =] ]] || COMP_WORDS+=("")
              COMP_LINE=$line COMP_POINT=${#line} COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
              _cats_complete cats "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
              [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=(FILES)
              printf '%s\n' "${COMPREPLY[*]}"
            done
            """,
        // compdef, compset, compadd and _files stand for zsh's own, which work in its line editor only.
        ["zsh"] = """
            compdef() { :; }; compset() { :; }; _files() { print FILES; }; compadd() { print -r -- "${(@P)2}"; }
            source "$1"; shift
            cats() { dotnet "$CATS" "$@"; }
            for line; do
              words=("${(@s: :)line}"); CURRENT=$#words
              _cats_complete
            done
            """,
        ["fish"] = """
            source $argv[1]
            function cats; dotnet $CATS $argv; end
            function __fish_complete_path; echo FILES; end
            for line in $argv[2..]; echo (complete -C $line | string split -f1 \t); end
            """,
        // A program of that name: PowerShell asks such a completer for no function. The folder's files are what it gives by itself.
        ["pwsh"] = """
            param([string]$script)
            . $script
            foreach ($line in $args) {
              $words = (TabExpansion2 $line $line.Length).CompletionMatches | ForEach-Object { $_.CompletionText -replace '\./.*', 'FILES' }
              ($words | Select-Object -Unique) -join ' '
            }
            """,
    };

    [Theory]
    [InlineData("bash", "-c", "bash")]
    [InlineData("zsh", "-fc", "zsh")]
    [InlineData("fish", "-Nc", null)]
    [InlineData("pwsh", "-File", null)]
    public void The_script_completes_verbs_options_and_their_values(string shell, string option, string? name)
    {
        string[] path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (shell != "bash" && !Array.Exists(path, folder => File.Exists(Path.Combine(folder, shell))))
        {
            string message = $"LEFT OUT completion in {shell}: it is not installed here";
            log.WriteLine(message);
            Console.WriteLine(message);
            return;
        }

        using TemporaryFolder folder = new();
        string script = folder["script.ps1"];
        File.WriteAllText(script, CliTool.Run("completion", shell).Expect(0).Output);
        string driver = s_drivers[shell];
        using TemporaryFolder programs = new();
        if (shell == "pwsh")
        {
            driver = programs["driver.ps1"];
            File.WriteAllText(driver, s_drivers[shell]);
            string cats = programs["cats"];
            File.WriteAllText(cats, "#!/bin/sh\nexec dotnet \"$CATS\" \"$@\"\n");
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(cats, UnixFileMode.UserRead | UnixFileMode.UserExecute);
            }
        }

        ProcessStartInfo start = new(shell, [option, driver, .. name is null ? (string[])[] : [name], script, .. s_lines.Select(line => line.Line)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder.Path,
        };
        start.Environment["CATS"] = CliTool.Path;
        start.Environment["HOME"] = programs.Path;
        start.Environment["PATH"] = string.Join(Path.PathSeparator, [programs.Path, .. path]);
        CliRun run = CliTool.Finish(Process.Start(start)!).Expect(0);
        if (shell == "bash")
        {
            Assert.Contains("-o default", run.Error, StringComparison.Ordinal); // no answer: bash completes file names
        }

        IEnumerable<string> expected = s_lines.Select(line => $"{line.Line}: {string.Join(' ', line.Words.Select(word => InShell(word, line.Line)))}");
        Assert.Equal(expected, s_lines.Zip(run.Output.TrimEnd('\n').Split('\n'), (line, words) => $"{line.Line}: {words}"));

        // What takes the place of --device=c: bash has = among its word breaks and replaces what follows it; fish and pwsh
        // replace all, files too.
        string InShell(string word, string line) =>
            shell == "bash" ? word.Split('=')[^1]
            : shell is "fish" or "pwsh" && word == Files && line.EndsWith('=') ? line.Split(' ')[^1] + Files
            : word;
    }

    [Fact]
    public void The_word_at_the_cursor_is_completed_not_the_lines_last_one() =>
        Assert.Equal("report\nrevert\nrewrite\n", CliTool.Run("[suggest:7]", "cats re --json").Expect(0).Output);

    [Fact]
    public void Every_shell_has_a_script_and_another_one_is_refused_by_name()
    {
        foreach (string shell in (string[])["bash", "zsh", "fish", "pwsh"])
        {
            string script = CliTool.Run("completion", shell, "--json").Expect(0).Json.GetProperty("script").GetString()!;
            Assert.Contains("[suggest:", script, StringComparison.Ordinal);
            Assert.Equal(script, CliTool.Run("completion", shell).Expect(0).Output);
        }

        Assert.Contains("'tcsh'; it must be one of bash, zsh, fish, pwsh", CliTool.Run("completion", "tcsh").Expect(1).Error, StringComparison.Ordinal);
    }
}
