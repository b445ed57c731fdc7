// SPDX-License-Identifier: MIT
// The README cannot rot: its code is the compiled sample, its tables are those of benchmarks/results, its links exist.
using System.Text;
using System.Text.RegularExpressions;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.Repository;

public sealed partial class ReadmeTests
{
    private static readonly string ReadmePath = Path.Combine(SharedFiles.RepositoryRoot, "README.md");

    [Fact]
    public void Included_code_and_tables_equal_their_sources()
    {
        string readme = File.ReadAllText(ReadmePath);
        string expected = IncludeBlock().Replace(readme, block =>
            $"{block.Groups["open"].Value}\n{Source(block.Groups["path"].Value, block.Groups["heading"].Value, block.Groups["rows"].Value)}\n{block.Groups["close"].Value}");
        if (Environment.GetEnvironmentVariable("CATS_UPDATE_README") == "1")
        {
            File.WriteAllText(ReadmePath, expected);
            return;
        }

        Assert.True(expected == readme, "README.md differs from the files it includes; run eng/readme.sh to refresh it.");
    }

    [Fact]
    public void Every_relative_link_leads_to_a_file_or_folder()
    {
        foreach (Match link in RelativeLink().Matches(File.ReadAllText(ReadmePath)))
        {
            string target = link.Groups["target"].Value;
            string path = Path.Combine(SharedFiles.RepositoryRoot, target);
            Assert.True(File.Exists(path) || Directory.Exists(path), $"README.md links to {target}, which does not exist.");
        }
    }

    /// <summary>A code file whole, as a fenced block; of a results file the tables below one heading, and of those the rows
    /// that match.</summary>
    private static string Source(string path, string heading, string rows)
    {
        string full = Path.Combine(SharedFiles.RepositoryRoot, path);
        Assert.True(File.Exists(full), $"README.md includes {path}, which does not exist.");
        string[] lines = File.ReadAllLines(full);
        if (path.EndsWith(".cs", StringComparison.Ordinal))
        {
            IEnumerable<string> code = lines.SkipWhile(line => line.StartsWith("//", StringComparison.Ordinal) || line.Length == 0);
            return $"```csharp\n{string.Join('\n', code)}\n```";
        }

        StringBuilder table = new();
        bool inside = heading.Length == 0;
        int taken = 0; // of the header, which has two lines
        foreach (string line in lines)
        {
            if (line.StartsWith('#') && heading.Length > 0)
            {
                inside = line.TrimStart('#', ' ') == heading;
            }
            else if (inside && line.StartsWith('|'))
            {
                if (taken++ < 2 || rows.Length == 0 || Regex.IsMatch(line, rows))
                {
                    table.Append(line).Append('\n');
                }
            }
        }

        Assert.True(table.Length > 0, $"{path} has no table below the heading '{heading}'.");
        return table.ToString().TrimEnd('\n');
    }

    [GeneratedRegex(@"(?<open><!-- include (?<path>\S+)(?: ""(?<heading>[^""]+)"")?(?: rows ""(?<rows>[^""]+)"")? -->)\n(?<body>.*?)(?<close><!-- /include -->)", RegexOptions.Singleline)]
    private static partial Regex IncludeBlock();

    [GeneratedRegex(@"\]\((?!https?:)(?<target>[^)#]+)\)")]
    private static partial Regex RelativeLink();
}
