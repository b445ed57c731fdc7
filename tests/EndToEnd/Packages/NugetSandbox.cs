// SPDX-License-Identifier: MIT
// A place outside the repository where packages are made, restored and used: its own feed and its own package folder, no
// other source. What the repository itself restored serves as a fallback.
using System.Diagnostics;
using System.Xml.Linq;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd.Packages;

internal sealed class NugetSandbox : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <param name="standIns">Packages that must come from the feed even where this machine has real ones.</param>
    public NugetSandbox(params string[] standIns)
    {
        Directory.CreateDirectory(Feed);
        File.WriteAllText(this["nuget.config"], $"""
            <configuration>
              <packageSources><clear /><add key="feed" value="{Feed}" /></packageSources>
              <auditSources><clear /></auditSources>
            </configuration>
            """);
        string fallback = Directory.CreateDirectory(this["fallback"]).FullName;
        foreach (string package in Directory.GetDirectories(GlobalPackages))
        {
            string name = Path.GetFileName(package);
            if (!name.StartsWith("catsonnx", StringComparison.OrdinalIgnoreCase)
                && !standIns.Any(standIn => standIn.Equals(name, StringComparison.OrdinalIgnoreCase)))
            {
                Directory.CreateSymbolicLink(Path.Combine(fallback, name), package);
            }
        }
    }

    /// <summary>Where this machine's restored packages lie.</summary>
    public static string GlobalPackages { get; } = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } chosen
        ? chosen
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    /// <summary>The version of ONNX Runtime that the repository uses.</summary>
    public static string OnnxRuntimeVersion { get; } = XDocument.Load(Path.Combine(SharedFiles.RepositoryRoot, "Directory.Packages.props"))
        .Descendants("OnnxRuntimeVersion").Single().Value;

    /// <summary>The only source of packages.</summary>
    public string Feed => this["feed"];

    /// <summary>A path inside.</summary>
    public string this[params string[] parts] => _folder[parts];

    /// <summary>A new folder with these files.</summary>
    public string Write(string folder, params (string Name, string Text)[] files)
    {
        string path = Directory.CreateDirectory(this[folder]).FullName;
        foreach ((string name, string text) in files)
        {
            File.WriteAllText(Path.Combine(path, name), text);
        }

        return path;
    }

    /// <summary>Runs a program to its end.</summary>
    public CliRun Run(string program, params string[] arguments) => CliTool.Finish(Start(program, arguments));

    /// <summary>Starts a program and returns at once.</summary>
    public Process Start(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = this["."] };
        start.Environment["NUGET_PACKAGES"] = this["packages"];
        start.Environment["NUGET_FALLBACK_PACKAGES"] = this["fallback"];
        // Servers that a build leaves behind would hold the output open.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["UseSharedCompilation"] = "false";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        start.Environment.Remove("CatsOrt");
        return Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
    }

    /// <summary>Runs the .NET SDK on a project, with this place's feed and without analyzers: they have seen the sources.</summary>
    public CliRun Build(string verb, string project, params string[] arguments) =>
        Run("dotnet", [verb, project, "-c", "Release", "-nologo", "-p:RunAnalyzers=false", $"-p:RestoreConfigFile={this["nuget.config"]}", .. arguments]);

    public void Dispose() => _folder.Dispose();
}
