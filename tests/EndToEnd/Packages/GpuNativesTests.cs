// SPDX-License-Identifier: MIT
// CatsOrt=Gpu: an application gets the natives of Microsoft.ML.OnnxRuntime.Gpu in place of the CPU's. Not every feed has that
// package, so packages of its names are made here from ../shared/device, laid out as the real ones are.
using System.IO.Compression;
using System.Security.Cryptography;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd.Packages;

public sealed class GpuNativesTests(ITestOutputHelper log)
{
    private const string Package = "Microsoft.ML.OnnxRuntime.Gpu";
    private static readonly string Version = NugetSandbox.OnnxRuntimeVersion;
    private static readonly string Sample = Path.Combine(SharedFiles.RepositoryRoot, "samples", "QuickStart");

    // Beside the published sample: which providers its natives have, and what its host says when asked for a GPU.
    private const string Probe = """
        using CatsOnnx.Generation;
        using CatsOnnx.Session;
        using Microsoft.ML.OnnxRuntime;

        Console.WriteLine(string.Join(' ', OrtEnv.Instance().GetAvailableProviders()));
        try
        {
            using TokenGenerator generator = TokenGenerator.Open(args[0], new ModelSessionOptions { Device = Device.Parse("cuda") });
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }
        """;

    [Fact]
    public void The_sample_with_the_GPU_natives_starts_and_knows_CUDA()
    {
        string? archive = SharedFiles.Find("device", $"ort-gpu-{Version}-linux-x64-cuda13-sm90.tar.xz");
        if (archive is null)
        {
            const string Message = "LEFT OUT CatsOrt=Gpu: ../shared/device with ONNX Runtime's GPU natives is not here";
            log.WriteLine(Message);
            Console.WriteLine(Message);
            return;
        }

        using NugetSandbox sandbox = new(Package, $"{Package}.Linux", $"{Package}.Windows");
        sandbox.Run("tar", "-xJf", archive).Expect(0);
        MakeStandIns(sandbox);

        string application = sandbox["application"];
        sandbox.Build("publish", Sample, "-p:CatsOrt=Gpu", "-p:CatsSkipNative=true", $"-p:ArtifactsPath={sandbox["artifacts"]}", "-o", application).Expect(0);

        foreach (string library in (string[])["libonnxruntime.so", "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"])
        {
            string published = Assert.Single(Directory.GetFiles(application, library + "*", SearchOption.AllDirectories));
            Assert.Equal(Hash(sandbox["ort-gpu", library]), Hash(published));
        }

        Assert.Single(Directory.GetFiles(application, "libcats_onnx.so", SearchOption.AllDirectories));

        CliRun text = sandbox.Run("dotnet", Path.Combine(application, "QuickStart.dll"), CliTool.DemoModel, "Once upon a time").Expect(0);
        Assert.Contains("tokens,", text.Output, StringComparison.Ordinal);

        // The other way again, in the same output folder: nothing of the GPU's natives stays.
        sandbox.Build("build", Sample, "--no-dependencies", "-p:CatsOrt=Cpu", "-p:CatsSkipNative=true", $"-p:ArtifactsPath={sandbox["artifacts"]}").Expect(0);
        string built = sandbox["artifacts", "bin", "QuickStart", "release"];
        Assert.Empty(Directory.GetFiles(built, "libonnxruntime_providers_cuda.so", SearchOption.AllDirectories));
        string cpu = Path.Combine(NugetSandbox.GlobalPackages, "microsoft.ml.onnxruntime", Version, "runtimes", "linux-x64", "native", "libonnxruntime.so");
        Assert.Equal(Hash(cpu), Hash(Path.Combine(built, "runtimes", "linux-x64", "native", "libonnxruntime.so")));

        CliRun probe = RunProbe(sandbox, application);
        Assert.Contains("CUDAExecutionProvider", probe.Output.Split([' ', '\n']));
        if (!File.Exists("/dev/nvidia0"))
        {
            probe.Expect(1);
            log.WriteLine(probe.Error);
            Assert.Matches("CUDA 13 needs driver", probe.Error);
        }
    }

    [Theory]
    [InlineData("Cuda")]
    [InlineData("Cpu;Gpu")]
    public void An_unknown_value_is_an_error_that_names_the_legal_ones(string value)
    {
        using NugetSandbox sandbox = new();
        CliRun run = sandbox.Build("build", Sample, $"-p:CatsOrt={value.Replace(";", "%3B", StringComparison.Ordinal)}", $"-p:ArtifactsPath={sandbox["artifacts"]}");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains($"CatsOrt is '{value}'; it must be Cpu or Gpu.", run.Output, StringComparison.Ordinal);
    }

    private static CliRun RunProbe(NugetSandbox sandbox, string application)
    {
        string project = sandbox.Write(
            "probe",
            ("Program.cs", Probe),
            ("probe.csproj", $"""
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup>
                    <TargetFramework>net10.0</TargetFramework>
                    <OutputType>Exe</OutputType>
                    <ImplicitUsings>enable</ImplicitUsings>
                    <UseAppHost>false</UseAppHost>
                  </PropertyGroup>
                  <ItemGroup>
                    <Reference Include="{application}/CatsOnnx.Host.dll;{application}/Microsoft.ML.OnnxRuntime.dll" Private="false" />
                  </ItemGroup>
                </Project>
                """));
        sandbox.Build("build", project).Expect(0);
        File.Copy(Path.Combine(project, "bin", "Release", "net10.0", "probe.dll"), Path.Combine(application, "probe.dll"));
        string Beside(string ending) => Path.Combine(application, "QuickStart" + ending);
        return sandbox.Run("dotnet", "exec", "--runtimeconfig", Beside(".runtimeconfig.json"), "--depsfile", Beside(".deps.json"),
            Path.Combine(application, "probe.dll"), CliTool.DemoModel);
    }

    // The real Microsoft.ML.OnnxRuntime.Gpu holds no file that matters here and depends on one package a system, whose
    // natives lie in runtimes/<rid>/native and whose headers lie in build/native/include.
    private static void MakeStandIns(NugetSandbox sandbox)
    {
        const string Managed = "Microsoft.ML.OnnxRuntime.Managed";
        MakePackage(sandbox, Package, [Managed, $"{Package}.Windows", $"{Package}.Linux"], []);
        MakePackage(sandbox, $"{Package}.Windows", [Managed], []);
        string headers = Path.Combine(NugetSandbox.GlobalPackages, "microsoft.ml.onnxruntime", Version, "build", "native", "include");
        MakePackage(sandbox, $"{Package}.Linux", [Managed], [
            .. Directory.GetFiles(headers).Select(file => (file, $"build/native/include/{Path.GetFileName(file)}")),
            .. new[] { "libonnxruntime.so", "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so" }
                .Select(library => (sandbox["ort-gpu", library], $"runtimes/linux-x64/native/{library}")),
        ]);
    }

    private static void MakePackage(NugetSandbox sandbox, string id, string[] dependencies, (string File, string Place)[] files)
    {
        IEnumerable<string> groups = new[] { ".NETCoreApp0.0", ".NETStandard0.0", ".NETFramework0.0" }.Select(framework =>
            $"""<group targetFramework="{framework}">{string.Concat(dependencies.Select(other => $"""<dependency id="{other}" version="{Version}" />"""))}</group>""");
        using ZipArchive package = ZipFile.Open(Path.Combine(sandbox.Feed, $"{id}.{Version}.nupkg"), ZipArchiveMode.Create);
        using (StreamWriter nuspec = new(package.CreateEntry($"{id}.nuspec").Open()))
        {
            nuspec.Write($"""
                <package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
                  <metadata>
                    <id>{id}</id><version>{Version}</version><authors>tests</authors>
                    <description>A stand-in made by {nameof(GpuNativesTests)}.</description>
                    <dependencies>{string.Concat(groups)}</dependencies>
                  </metadata>
                </package>
                """);
        }

        foreach ((string file, string place) in files)
        {
            package.CreateEntryFromFile(file, place, CompressionLevel.Fastest);
        }
    }

    private static string Hash(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return Convert.ToHexString(SHA256.HashData(stream));
    }
}
