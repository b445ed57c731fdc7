// SPDX-License-Identifier: MIT
// The arrows between the houses: project references and includes.
using System.Text.RegularExpressions;
using System.Xml.Linq;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Conformance;

public sealed partial class DependencyTests
{
    private static readonly Dictionary<string, string[]> Projects = new()
    {
        ["CatsOnnx.GraphRewriter"] = [],
        ["CatsOnnx.Native"] = [],
        ["CatsOnnx.Native.Cuda"] = [],
        ["CatsOnnx.Host"] = ["CatsOnnx.GraphRewriter", "CatsOnnx.Native"],
        ["CatsOnnx.DependencyInjection"] = ["CatsOnnx.Host"],
        ["CatsOnnx.Calibration"] = ["CatsOnnx.Host", "CatsOnnx.GraphRewriter"],
        ["CatsOnnx.Evaluation"] = ["CatsOnnx.Host", "CatsOnnx.GraphRewriter", "CatsOnnx.Calibration"],
        ["CatsOnnx.Cli"] = ["CatsOnnx.Calibration", "CatsOnnx.Evaluation", "CatsOnnx.Host", "CatsOnnx.GraphRewriter"],
    };

    [Fact]
    public void Projects_refer_only_to_those_below_them()
    {
        foreach (string file in Directory.EnumerateFiles(SharedFiles.RepositoryRoot, "*.csproj", SearchOption.AllDirectories))
        {
            string name = Path.GetFileNameWithoutExtension(file);
            if (!Projects.TryGetValue(name, out string[]? allowed) || file.Contains($"{Path.DirectorySeparatorChar}artifacts{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            {
                continue;
            }

            IEnumerable<string> references = XDocument.Load(file).Descendants("ProjectReference").Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));
            Assert.All(references, reference => Assert.True(allowed.Contains(reference), $"{name} refers to {reference}; it may refer to [{string.Join(", ", allowed)}]"));
        }
    }

    [Fact]
    public void The_rewriter_depends_on_protobuf_alone()
    {
        XDocument project = XDocument.Load(Path.Combine(SharedFiles.RepositoryRoot, "GraphRewriter", "CatsOnnx.GraphRewriter.csproj"));
        Assert.Equal(["Google.Protobuf", "Grpc.Tools"], project.Descendants("PackageReference").Select(package => package.Attribute("Include")!.Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Dependency_injection_is_the_only_project_with_Microsofts_services()
    {
        string[] Packages(string project) => [.. XDocument.Load(Path.Combine(SharedFiles.RepositoryRoot, "Managed", project, project + ".csproj"))
            .Descendants("PackageReference").Select(package => package.Attribute("Include")!.Value).Order(StringComparer.Ordinal)];
        Assert.Equal(["Microsoft.Extensions.AI.Abstractions", "Microsoft.ML.OnnxRuntime.Managed"], Packages("CatsOnnx.Host"));
        Assert.Equal(
            ["Microsoft.Extensions.DependencyInjection.Abstractions", "Microsoft.Extensions.Logging.Abstractions", "Microsoft.Extensions.Options"],
            Packages("CatsOnnx.DependencyInjection"));
    }

    [Fact]
    public void Native_includes_follow_kernels_ops_ort()
    {
        string root = Path.Combine(SharedFiles.RepositoryRoot, "CustomOp");
        Dictionary<string, string[]> above = new() { ["kernels"] = ["ops/", "ort/"], ["formats"] = ["kernels/", "ops/", "ort/"], ["ops"] = ["ort/"] };
        int seen = 0;
        foreach (string file in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Where(file => Path.GetExtension(file) is ".h" or ".cc" or ".cu" or ".cuh"))
        {
            string relative = Path.GetRelativePath(root, file).Replace('\\', '/');
            string house = relative.Split('/')[0];
            foreach (Match include in Include().Matches(File.ReadAllText(file)))
            {
                seen++;
                string header = include.Groups[1].Value;
                Assert.False(above.GetValueOrDefault(house, []).Any(prefix => header.StartsWith(prefix, StringComparison.Ordinal)), $"{relative} includes {header}");
                Assert.False(header.StartsWith("onnxruntime_", StringComparison.Ordinal) && house != "ort", $"{relative} includes {header}; only ort/ may");
            }
        }

        Assert.True(seen > 20, $"only {seen} includes were found");
    }

    [GeneratedRegex(@"^\s*#\s*include\s*[""<]([^"">]+)["">]", RegexOptions.Multiline)]
    private static partial Regex Include();
}
