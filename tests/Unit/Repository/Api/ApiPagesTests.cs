// SPDX-License-Identifier: MIT
// docs/api is what the XML documentation gives; eng/readme.sh makes it again.
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.Repository.Api;

public sealed class ApiPagesTests
{
    private static readonly string s_folder = Path.Combine(SharedFiles.RepositoryRoot, "docs", "api");

    [Fact]
    public void The_committed_pages_are_what_the_documentation_of_the_libraries_gives()
    {
        IReadOnlyDictionary<string, string> pages = new ApiPages().Make();
        if (Environment.GetEnvironmentVariable("CATS_UPDATE_README") == "1")
        {
            Directory.CreateDirectory(s_folder);
            foreach (string old in Directory.GetFiles(s_folder, "*.md"))
            {
                File.Delete(old);
            }

            foreach ((string name, string text) in pages)
            {
                File.WriteAllText(Path.Combine(s_folder, name), text);
            }

            return;
        }

        IEnumerable<string> committed = Directory.Exists(s_folder) ? Directory.GetFiles(s_folder).Select(file => Path.GetFileName(file)) : [];
        Assert.True(
            committed.ToHashSet().SetEquals(pages.Keys), $"docs/api holds other pages than {string.Join(", ", pages.Keys)}; run eng/readme.sh and commit them.");
        foreach ((string name, string text) in pages)
        {
            string[] found = File.ReadAllLines(Path.Combine(s_folder, name));
            string[] expected = text.TrimEnd('\n').Split('\n');
            int line = Enumerable.Range(0, Math.Max(found.Length, expected.Length)).FirstOrDefault(i => i >= found.Length || i >= expected.Length || found[i] != expected[i], -1);
            Assert.True(
                line < 0,
                $"docs/api/{name} differs from the XML documentation in line {line + 1}; run eng/readme.sh and commit it.\n"
                + $"  committed: {found.ElementAtOrDefault(line)}\n  should be: {expected.ElementAtOrDefault(line)}");
        }
    }

    [Fact]
    public void Signatures_are_what_a_programmer_writes()
    {
        IReadOnlyDictionary<string, string> pages = new ApiPages().Make();
        string host = pages["CatsOnnx.md"];
        Assert.Contains("- `static SessionOptions RegisterCats(this SessionOptions options)`: ", host, StringComparison.Ordinal);
        Assert.Contains("public sealed class TokenGenerator : IDisposable", host, StringComparison.Ordinal);
        Assert.Contains("(string path, ModelSessionOptions? options = null", host, StringComparison.Ordinal);
        Assert.Contains("Options of a [CatsChatClient](#catschatclient).", host, StringComparison.Ordinal);
        Assert.Contains("  - throws `ArgumentException`: ", pages["CatsOnnx.Calibration.md"], StringComparison.Ordinal);
        Assert.Contains("](CatsOnnx.md#tokengenerator)", pages["CatsOnnx.DependencyInjection.md"], StringComparison.Ordinal);
        Assert.Contains("- `void Dispose()`: As `IDisposable.Dispose`.", host, StringComparison.Ordinal);
        Assert.DoesNotContain("EqualityContract", host, StringComparison.Ordinal);
        Assert.DoesNotContain("inheritdoc", string.Concat(pages.Values), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_parameter_of_a_public_method_is_described()
    {
        string[] undescribed = [.. new ApiPages().Undescribed()];
        Assert.True(undescribed.Length == 0, $"no <param> for {string.Join(", ", undescribed)}");
    }

    [Fact]
    public void The_pages_stay_small_enough_to_read() =>
        Assert.InRange(new ApiPages().Make().Values.Sum(page => page.Length), 1, 300_000);
}
