// SPDX-License-Identifier: MIT
// Compares text with a committed file. CATS_UPDATE_GOLDEN=1 writes the files anew; such a commit says why.
namespace CatsOnnx.Tests.Support;

/// <summary>Golden files.</summary>
public static class GoldenText
{
    /// <summary>What is wrong, or null where the text is that of the file.</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">The file.</param>
    public static string? Difference(string text, string path)
    {
        if (Environment.GetEnvironmentVariable("CATS_UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
            return null;
        }

        if (!File.Exists(path))
        {
            return $"{path} does not exist; CATS_UPDATE_GOLDEN=1 writes it.";
        }

        string[] expected = File.ReadAllText(path).ReplaceLineEndings("\n").Split('\n');
        string[] actual = text.ReplaceLineEndings("\n").Split('\n');
        for (int i = 0; i < Math.Max(expected.Length, actual.Length); i++)
        {
            string e = i < expected.Length ? expected[i] : "(nothing)";
            string a = i < actual.Length ? actual[i] : "(nothing)";
            if (e != a)
            {
                return $"{path}, line {i + 1}:\n  expected {e}\n  actual   {a}";
            }
        }

        return null;
    }
}
