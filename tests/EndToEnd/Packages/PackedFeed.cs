// SPDX-License-Identifier: MIT
// Every package of the repository, packed once for the tests of this folder.
using System.IO.Compression;
using System.Text;
using System.Xml.Linq;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd.Packages;

/// <summary>Tests that share the packages.</summary>
[CollectionDefinition(Name)]
public sealed class PackedFeedCollection : ICollectionFixture<PackedFeed>
{
    public const string Name = "packages";
}

/// <summary>The packages, as `dotnet pack` makes them from what is built.</summary>
public sealed class PackedFeed : IDisposable
{
    // Relinks the library with a describe_ops.cc that was told of CUDA architectures, as CMake does where there is nvcc.
    private const string CudaStandIn = """
        set -euo pipefail
        cd "$1/artifacts/native/cpu/CustomOp"
        eval "flags=($(sed -n 's/^CXX_\(DEFINES\|INCLUDES\|FLAGS\) = //p' CMakeFiles/cats_onnx.dir/flags.make | tr '\n' ' '))"
        c++ "${flags[@]}" -DCATS_CUDA_ARCHITECTURES='"80-real 90a-real 120"' -c "$1/CustomOp/ort/describe_ops.cc" -o "$2/describe_ops.o"
        eval "$(sed "s|[^ ]*/describe_ops.cc.o|$2/describe_ops.o|; s|-o [^ ]*libcats_onnx.so|-o $2/libcats_onnx.so|" CMakeFiles/cats_onnx.dir/link.txt)"
        """;

    public PackedFeed()
    {
        Version = XDocument.Load(Path.Combine(SharedFiles.RepositoryRoot, "Directory.Build.props")).Descendants("Version").Single().Value;
        CudaLibrary = Path.Combine(SharedFiles.RepositoryRoot, "artifacts", "native", "cuda", "libcats_onnx.so");
        try
        {
            if (!File.Exists(CudaLibrary))
            {
                string folder = Directory.CreateDirectory(Sandbox["cuda"]).FullName;
                Sandbox.Run("bash", "-c", CudaStandIn, "bash", SharedFiles.RepositoryRoot, folder).Expect(0);
                CudaLibrary = Path.Combine(folder, "libcats_onnx.so");
            }

            Pack = Sandbox.Build("pack", Path.Combine(SharedFiles.RepositoryRoot, "CatsOnnx.sln"),
                "--no-build", "-warnaserror", $"-p:CatsCudaLibrary={CudaLibrary}", "-o", Sandbox.Feed).Expect(0);
        }
        catch
        {
            Sandbox.Dispose();
            throw;
        }
    }

    /// <summary>The version of every package.</summary>
    internal string Version { get; }

    /// <summary>Where they were packed to and can be used.</summary>
    internal NugetSandbox Sandbox { get; } = new();

    /// <summary>The library that CatsOnnx.Native.Cuda holds: the one of eng/gpu.sh build, else a stand-in.</summary>
    internal string CudaLibrary { get; }

    /// <summary>What packing said.</summary>
    internal CliRun Pack { get; }

    /// <summary>A package's files.</summary>
    internal Dictionary<string, byte[]> Read(string id, string ending = "nupkg")
    {
        using ZipArchive package = ZipFile.OpenRead(Path.Combine(Sandbox.Feed, $"{id}.{Version}.{ending}"));
        return package.Entries.ToDictionary(entry => entry.FullName, entry =>
        {
            using Stream stream = entry.Open();
            MemoryStream copy = new();
            stream.CopyTo(copy);
            return copy.ToArray();
        });
    }

    /// <summary>A package's nuspec.</summary>
    internal XElement Metadata(string id) =>
        XDocument.Parse(Encoding.UTF8.GetString(Read(id)[$"{id}.nuspec"]).TrimStart('\ufeff')).Root!.Elements().Single();

    /// <summary>A project of an application that uses packages of this feed, and ONNX Runtime's natives for the CPU.</summary>
    internal string Project(params string[] packages) => Project("Microsoft.NET.Sdk", packages);

    /// <inheritdoc cref="Project(string[])"/>
    internal string Project(string sdk, string[] packages) => $"""
        <Project Sdk="{sdk}">
          <PropertyGroup>
            <TargetFramework>net10.0</TargetFramework>
            <OutputType>Exe</OutputType>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
            <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
          </PropertyGroup>
          <ItemGroup>
            {string.Concat(packages.Select(id => $"""<PackageReference Include="{id}" Version="{Version}" />"""))}
            <PackageReference Include="Microsoft.ML.OnnxRuntime" Version="{NugetSandbox.OnnxRuntimeVersion}" />
          </ItemGroup>
        </Project>
        """;

    public void Dispose() => Sandbox.Dispose();
}
