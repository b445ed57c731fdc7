// SPDX-License-Identifier: MIT
// What `dotnet pack` gives: what each package holds, and that it works where the repository is not.
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd.Packages;

[Collection(PackedFeedCollection.Name)]
public sealed class PackageTests(PackedFeed feed)
{
    private const string Library = "runtimes/linux-x64/native/libcats_onnx.so";
    private static readonly string[] Libraries = ["CatsOnnx", "CatsOnnx.Calibration", "CatsOnnx.DependencyInjection", "CatsOnnx.Evaluation", "CatsOnnx.GraphRewriter"];
    private static readonly string[] Natives = ["CatsOnnx.Native", "CatsOnnx.Native.Cuda"];

    private static IEnumerable<string> All => [.. Libraries, .. Natives, "CatsOnnx.Tool"];

    [Fact]
    public void Packing_gives_these_packages_with_symbols_and_without_a_warning()
    {
        IEnumerable<string> expected = [
            .. All.Select(id => $"{id}.{feed.Version}.nupkg"),
            .. Libraries.Select(id => $"{id}.{feed.Version}.snupkg")];
        Assert.Equal(expected.Order(StringComparer.Ordinal), Directory.GetFiles(feed.Sandbox.Feed).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.DoesNotContain("warning", feed.Pack.Output + feed.Pack.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Every_package_has_readme_licence_notices_and_a_description()
    {
        byte[] readme = File.ReadAllBytes(Path.Combine(SharedFiles.RepositoryRoot, "docs", "packages.md"));
        foreach (string id in All)
        {
            XElement metadata = feed.Metadata(id);
            Dictionary<string, byte[]> files = feed.Read(id);
            Assert.Equal("MIT", Value(metadata, "license"));
            Assert.Equal("README.md", Value(metadata, "readme"));
            Assert.Equal(readme, files["README.md"]);
            Assert.True(files.ContainsKey("THIRD-PARTY-NOTICES.md"), id);
            Assert.StartsWith("onnx ", Value(metadata, "tags"), StringComparison.Ordinal);
            Assert.True(Value(metadata, "description").Length > 40, $"{id}: {Value(metadata, "description")}");
            Assert.Contains(id, Encoding.UTF8.GetString(readme), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Libraries_have_documentation_and_symbols_and_name_no_folder_of_this_machine()
    {
        byte[] folder = Encoding.UTF8.GetBytes(SharedFiles.RepositoryRoot);
        foreach (string id in Libraries)
        {
            Dictionary<string, byte[]> files = feed.Read(id);
            string assembly = Path.ChangeExtension(Assert.Single(files.Keys, name => name.EndsWith(".dll", StringComparison.Ordinal)), null);
            Assert.StartsWith("lib/net10.0/", assembly, StringComparison.Ordinal);
            Assert.Contains("<member name=", Encoding.UTF8.GetString(files[assembly + ".xml"]), StringComparison.Ordinal);
            byte[] symbols = feed.Read(id, "snupkg")[assembly + ".pdb"];
            Assert.True(files[assembly + ".dll"].AsSpan().IndexOf(folder) < 0 && symbols.AsSpan().IndexOf(folder) < 0, $"{id} names {SharedFiles.RepositoryRoot}");
        }
    }

    [Fact]
    public void Libraries_leave_the_choice_of_natives_to_the_application()
    {
        foreach (string id in Libraries)
        {
            IEnumerable<string> dependencies = feed.Metadata(id).Descendants().Where(element => element.Name.LocalName == "dependency")
                .Select(element => element.Attribute("id")!.Value);
            Assert.All(dependencies, dependency => Assert.False(
                Natives.Contains(dependency) || (dependency.StartsWith("Microsoft.ML.OnnxRuntime", StringComparison.Ordinal) && dependency != "Microsoft.ML.OnnxRuntime.Managed"),
                $"{id} depends on {dependency}"));
        }
    }

    [Theory]
    [InlineData("CatsOnnx.Native")]
    [InlineData("CatsOnnx.Native.Cuda")]
    public void A_native_package_says_what_its_library_says_it_holds(string id)
    {
        Dictionary<string, byte[]> files = feed.Read(id);
        Assert.Equal([Library], files.Keys.Where(name => name.StartsWith("runtimes/", StringComparison.Ordinal) || name.StartsWith("lib/", StringComparison.Ordinal)));
        string path = feed.Sandbox[$"{id}.so"];
        File.WriteAllBytes(path, files[Library]);
        using JsonDocument document = JsonDocument.Parse(Describe(path));
        JsonElement description = document.RootElement;

        string isas = string.Join(' ', description.GetProperty("built_isas").EnumerateArray().Select(isa => isa.GetString()));
        string? architectures = description.GetProperty("cuda_architectures").GetString();
        Assert.Equal("generic avx2 avx512", isas);
        Assert.Equal(id == "CatsOnnx.Native.Cuda", architectures is not null);
        string contents = $"CPU kernels: {isas}; CUDA kernels: {architectures ?? "none"}";
        Assert.Equal($"cats_onnx {feed.Version} holds {contents}", description.GetProperty("contents").GetString());
        Assert.EndsWith($" Holds {contents}.", Value(feed.Metadata(id), "description"), StringComparison.Ordinal);
        Assert.All(description.GetProperty("isas").EnumerateArray(), isa => Assert.Contains(isa.GetString()!, isas.Split(' ')));
    }

    [Fact]
    public void Both_native_packages_in_one_application_are_an_error()
    {
        string project = feed.Sandbox.Write("both", ("both.csproj", feed.Project(["CatsOnnx", .. Natives])), ("Program.cs", "return;"));
        CliRun run = feed.Sandbox.Build("build", project);
        Assert.True(run.ExitCode != 0, run.Output);
        Assert.Matches(@"error : CatsOnnx\.Native(\.Cuda)? and CatsOnnx\.Native(\.Cuda)? hold the same library; reference one of them\.", run.Output);
    }

    private static unsafe string Describe(string path)
    {
        nint function = NativeLibrary.GetExport(NativeLibrary.Load(path), "CatsDescribeOps");
        return Marshal.PtrToStringUTF8((nint)((delegate* unmanaged[Cdecl]<byte*>)function)())!;
    }

    private static string Value(XElement metadata, string name) => metadata.Elements().Single(element => element.Name.LocalName == name).Value;
}
