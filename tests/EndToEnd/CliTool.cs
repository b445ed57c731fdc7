// SPDX-License-Identifier: MIT
// Runs the built tool as a process, as a person does, and keeps what it said.
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd;

/// <param name="ExitCode">The process's exit code.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record CliRun(int ExitCode, string Output, string Error)
{
    /// <summary>Standard output as exactly one JSON document.</summary>
    public JsonElement Json
    {
        get
        {
            using JsonDocument document = JsonDocument.Parse(Output);
            return document.RootElement.Clone();
        }
    }

    /// <summary>Fails with everything the tool said unless it ended with this code.</summary>
    public CliRun Expect(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode} instead of {exitCode}\n--- output\n{Output}\n--- error\n{Error}");
        Assert.DoesNotContain("   at ", Error, StringComparison.Ordinal);
        return this;
    }
}

internal static class CliTool
{
    /// <summary>For coreutils' env: what it starts heeds signals as in a terminal, also where the tests run in the background or under nohup and
    /// ignore some.</summary>
    public const string HeedSignals = "--default-signal=HUP,INT,QUIT,TERM";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    /// <summary>The built tool.</summary>
    public static string Path { get; } =
        System.IO.Path.Combine(SharedFiles.RepositoryRoot, "artifacts", "bin", "CatsOnnx.Cli", "release", "cats.dll");

    /// <summary>The model that ships with the tool.</summary>
    public static string DemoModel { get; } = System.IO.Path.Combine(SharedFiles.RepositoryRoot, "models", "demo");

    /// <summary>Runs the tool to its end.</summary>
    public static CliRun Run(params string[] arguments) => Finish(Start("dotnet", [Path, .. arguments]));

    /// <summary>Runs the tool below a shell that set something first (a file-size limit, a variable).</summary>
    public static CliRun RunAfter(string shellSetting, params string[] arguments) =>
        Finish(Start("bash", ["-c", $"{shellSetting}; exec dotnet \"$@\"", "bash", Path, .. arguments]));

    /// <summary>Runs the tool with lines typed into it.</summary>
    public static CliRun RunWithInput(IEnumerable<string> lines, params string[] arguments)
    {
        Process process = StartWithInput(arguments);
        foreach (string line in lines)
        {
            process.StandardInput.WriteLine(line);
        }

        process.StandardInput.Close();
        return Finish(process);
    }

    /// <summary>Starts the tool with an open standard input and returns at once.</summary>
    public static Process StartWithInput(params string[] arguments) => Start("dotnet", [Path, .. arguments], input: true);

    /// <summary>Starts the tool and returns at once.</summary>
    public static Process Start(params string[] arguments) => Start("dotnet", [Path, .. arguments]);

    /// <summary>Waits for a started tool.</summary>
    public static CliRun Finish(Process process)
    {
        using (process)
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> error = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(Limit))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail($"cats did not end within {Limit}.");
            }

            process.WaitForExit();
            return new CliRun(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
        }
    }

    /// <summary>Every file of a folder (or one file) with its SHA-256, to prove that nothing touched it.</summary>
    public static string Fingerprint(string path)
    {
        string[] files = Directory.Exists(path) ? Directory.GetFiles(path, "*", SearchOption.AllDirectories) : [path];
        return string.Join('\n', files.Order(StringComparer.Ordinal).Select(file =>
        {
            using FileStream stream = File.OpenRead(file);
            return $"{System.IO.Path.GetRelativePath(path, file)} {Convert.ToHexString(SHA256.HashData(stream))}";
        }));
    }

    private static Process Start(string program, string[] arguments, bool input = false)
    {
        ProcessStartInfo start = new("env", [HeedSignals, program, .. arguments]) { RedirectStandardInput = input, RedirectStandardOutput = true, RedirectStandardError = true };
        return Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
    }
}
