// SPDX-License-Identifier: MIT
// The README cannot rot: its code is the compiled sample, its tables are those of benchmarks/results; pages of docs that include some are held to it too.
using System.Text;
using System.Text.RegularExpressions;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.Repository;

public sealed partial class ReadmeTests(ITestOutputHelper log)
{
    [Theory]
    [InlineData("README.md")]
    [InlineData("docs/packages.md")]
    [InlineData("docs/tutorial.md")]
    [InlineData("docs/faq.md")]
    public void Included_code_and_tables_equal_their_sources(string file)
    {
        string readmePath = Path.Combine(SharedFiles.RepositoryRoot, file);
        string readme = File.ReadAllText(readmePath);
        IReadOnlyDictionary<string, string> stale = StaleResults.Find();
        string expected = IncludeBlock().Replace(readme, block =>
        {
            string path = block.Groups["path"].Value;
            string body = StaleResults.Mark(Source(path, block.Groups["heading"].Value, block.Groups["rows"].Value), path, stale);
            return $"{block.Groups["open"].Value}\n{body}\n{block.Groups["close"].Value}";
        });
        if (Environment.GetEnvironmentVariable("CATS_UPDATE_README") == "1")
        {
            File.WriteAllText(readmePath, expected);
            return;
        }

        // Marks alone may differ until the next eng/check.sh: whoever changes a kernel has no GPU to measure again.
        if (expected != readme && !StaleResults.AreFailures && StaleResults.WithoutMarks(expected) == StaleResults.WithoutMarks(readme))
        {
            string message = $"STALE {file}: it marks other tables as stale than eng/code_hash.sh does; run eng/readme.sh";
            log.WriteLine(message);
            Console.WriteLine(message);
            return;
        }

        Assert.True(expected == readme, $"{file} differs from the files it includes; run eng/readme.sh to refresh it.");
    }

    [Fact]
    public void A_stale_result_is_marked_above_its_table_and_marks_come_off_again()
    {
        IReadOnlyDictionary<string, string> stale = StaleResults.Read(
            "STALE a/old.md: measured on device code 0123456789abcdef, now 1\nSTALE a/none.txt: measured on device code unknown (it names none), now 1\n");
        Assert.Equal(["a/none.txt", "a/old.md"], stale.Keys.Order(StringComparer.Ordinal));
        const string Table = "| a |\n| --- |\n| 1 |";
        Assert.Equal(Table, StaleResults.Mark(Table, "a/new.md", stale));
        string marked = StaleResults.Mark(Table, "a/old.md", stale);
        Assert.Equal($"*Stale: measured on device code 0123456789abcdef, which has changed since.*\n\n{Table}", marked);
        Assert.Equal($"before\n{Table}\nafter", StaleResults.WithoutMarks($"before\n{marked}\nafter"));
    }

    /// <summary>A code file whole, as a fenced block; of a results file the tables below one heading, and of those the rows
    /// that match.</summary>
    private static string Source(string path, string heading, string rows)
    {
        string full = Path.Combine(SharedFiles.RepositoryRoot, path);
        Assert.True(File.Exists(full), $"{path} is included, but does not exist.");
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
}
