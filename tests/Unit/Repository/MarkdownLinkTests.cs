// SPDX-License-Identifier: MIT
// Links between the repository's pages lead somewhere: to a file that git knows, and to a heading that the page has.
using System.Diagnostics;
using System.Text.RegularExpressions;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.Repository;

public sealed partial class MarkdownLinkTests
{
    [Fact]
    public void Every_relative_link_and_image_of_every_page_leads_to_a_file_and_its_anchor_to_a_heading()
    {
        string[] pages = [.. Pages()];
        Assert.Contains("README.md", pages);
        Assert.Contains("docs/tutorial.md", pages);
        Assert.True(pages.Length > 20, $"only {pages.Length} pages were found");
        List<string> wrong = [.. pages.SelectMany(page => Wrong(page, File.ReadAllText(Path.Combine(SharedFiles.RepositoryRoot, page))))];
        Assert.True(wrong.Count == 0, "links that lead nowhere:\n" + string.Join('\n', wrong));
    }

    [Fact]
    public void Wrong_links_are_found_and_code_is_no_link()
    {
        const string Page = """
            [good](../README.md#from-c) ![drawing](images/none.svg) [x](#here) [no](#there)
            # Here
            `[code](none.md)` and <a href="none.html">
            ```
            [fenced](none.md)
            ```
            [code in it](decisions/none.md "title")
            """;
        Assert.Equal(
            [
                "docs/x.md: images/none.svg: there is no docs/images/none.svg",
                "docs/x.md: #there: docs/x.md has no such heading",
                "docs/x.md: decisions/none.md: there is no docs/decisions/none.md",
                "docs/x.md: none.html: there is no docs/none.html",
            ],
            Wrong("docs/x.md", Page));
    }

    [Theory]
    [InlineData("From C#", "from-c")]
    [InlineData("What works, what does not yet", "what-works-what-does-not-yet")]
    [InlineData("`TokenGenerator`", "tokengenerator")]
    [InlineData("0002 The CPU kernels of [X](y.md)", "0002-the-cpu-kernels-of-x")]
    public void Anchors_are_those_of_GitHub(string heading, string anchor)
    {
        MarkdownAnchors anchors = new();
        Assert.Equal(anchor, anchors.Add(heading));
        Assert.Equal(anchor + "-1", anchors.Add(heading));
    }

    private static IEnumerable<string> Wrong(string page, string markdown)
    {
        string text = InlineCode().Replace(MarkdownAnchors.WithoutFences(markdown), "");
        foreach (string target in Link().Matches(text).Concat(Source().Matches(text)).Select(link => link.Groups["target"].Value))
        {
            string[] parts = target.Split('#', 2);
            string path = parts[0].Length == 0
                ? page
                : Path.GetRelativePath(SharedFiles.RepositoryRoot, Path.GetFullPath(Path.Combine(SharedFiles.RepositoryRoot, Path.GetDirectoryName(page)!, parts[0])));
            string full = Path.Combine(SharedFiles.RepositoryRoot, path);
            if (path.StartsWith("..", StringComparison.Ordinal) || (parts[0].Length > 0 && !Path.Exists(full)))
            {
                yield return $"{page}: {target}: there is no {path}";
            }
            else if (parts.Length == 2 && !MarkdownAnchors.Of(parts[0].Length == 0 ? markdown : File.ReadAllText(full)).Contains(parts[1]))
            {
                yield return $"{page}: {target}: {path} has no such heading";
            }
        }
    }

    /// <summary>The pages that git knows or would take: build outputs and downloads hold others.</summary>
    private static IEnumerable<string> Pages()
    {
        ProcessStartInfo start = new("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = SharedFiles.RepositoryRoot,
        };
        using Process git = Process.Start(start)!;
        string output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        Assert.True(git.ExitCode == 0, $"git ls-files ended with {git.ExitCode}");
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(page => File.Exists(Path.Combine(SharedFiles.RepositoryRoot, page)));
    }

    [GeneratedRegex(@"\]\((?![a-z]+:)(?<target>[^)\s]+)(?: ""[^""]*"")?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"(?:src|srcset|href)=""(?![a-z]+:)(?<target>[^""]+)""")]
    private static partial Regex Source();

    [GeneratedRegex(@"`+[^`\n]+`+")]
    private static partial Regex InlineCode();
}
