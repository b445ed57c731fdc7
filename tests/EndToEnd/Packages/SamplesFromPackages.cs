// SPDX-License-Identifier: MIT
// The samples as an application outside the repository has them: their sources in projects that refer to the packages, built
// once for the tests, and a model that the packed tool rewrote.
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd.Packages;

/// <summary>The samples, built from the packages.</summary>
public sealed class SamplesFromPackages
{
    public SamplesFromPackages(PackedFeed feed)
    {
        Feed = feed;
        NugetSandbox sandbox = feed.Sandbox;
        sandbox.Run("dotnet", "tool", "install", "CatsOnnx.Tool", "--tool-path", sandbox["tools"], "--configfile", sandbox["nuget.config"], "--version", feed.Version).Expect(0);
        sandbox.Run(Tool, "rewrite", CliTool.DemoModel, "-o", Model, "--text", Path.Combine(CliTool.DemoModel, "calibrate.txt"), "--sparsity", "0.5").Expect(0);
        File.WriteAllText(Path.Combine(Model, "chat_template.jinja"), "{{ bos_token }}{% for message in messages %}{{ message.content }}\n{% endfor %}");

        Copy("QuickStart", feed.Project("CatsOnnx", "CatsOnnx.Native"));
        Copy("Chat", feed.Project("CatsOnnx", "CatsOnnx.Native"));
        Copy("WebApi", feed.Project("Microsoft.NET.Sdk.Web", ["CatsOnnx.DependencyInjection", "CatsOnnx.Native"]));
        string solution = sandbox.Write("samples", ("samples.slnx", """
            <Solution>
              <Project Path="QuickStart/QuickStart.csproj" />
              <Project Path="Chat/Chat.csproj" />
              <Project Path="WebApi/WebApi.csproj" />
            </Solution>
            """));
        sandbox.Build("build", Path.Combine(solution, "samples.slnx")).Expect(0);
    }

    internal PackedFeed Feed { get; }

    /// <summary>The installed tool.</summary>
    internal string Tool => Feed.Sandbox["tools", "cats"];

    /// <summary>The demo model, rewritten, with a chat template.</summary>
    internal string Model => Feed.Sandbox["demo-cats"];

    /// <summary>Where a sample was built to.</summary>
    internal string Output(string sample) => Feed.Sandbox["samples", sample, "bin", "Release", "net10.0"];

    /// <summary>A sample's program.</summary>
    internal string Program(string sample) => Path.Combine(Output(sample), sample + ".dll");

    private void Copy(string sample, string project)
    {
        string folder = Feed.Sandbox.Write(Path.Combine("samples", sample), ($"{sample}.csproj", project));
        foreach (string file in Directory.GetFiles(Path.Combine(SharedFiles.RepositoryRoot, "samples", sample)).Where(file => Path.GetExtension(file) is ".cs" or ".json"))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }
    }
}
