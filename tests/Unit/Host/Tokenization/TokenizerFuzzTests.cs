// SPDX-License-Identifier: MIT
// Mutated tokenizer files: read or refused with InvalidDataException, in time, without memory far beyond the file's size.
using System.Diagnostics;
using System.Text;
using CatsOnnx.Tests.Support;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Tests.Unit.Host.Tokenization;

public sealed class TokenizerFuzzTests
{
    private const string Text = "Once upon a time <s> na\u00efve \U0001F469\u200D\U0001F467 1234  \r\n\t\u0000 end";

    [Theory]
    [InlineData("tokenizer-4k/tokenizer.json", 150)]
    [InlineData("tokenizer-bytelevel/tokenizer.json", 100)]
    [InlineData("tokenizer-4k/tokenizer.model", 400)]
    public void Mutated_files_are_read_or_refused(string file, int count)
    {
        string? source = SharedFiles.Find(["models", .. file.Split('/')]);
        Assert.SkipWhen(source is null, $"models/{file} is in neither ../shared nor tests/assets.");
        byte[] original = Shorten(File.ReadAllBytes(source!), file);
        string folder = Directory.CreateTempSubdirectory("cats-fuzz-").FullName;
        try
        {
            string path = Path.Combine(folder, Path.GetFileName(file));
            Random random = new(20261123);
            int refused = 0;
            for (int i = 0; i < count; i++)
            {
                File.WriteAllBytes(path, Mutate(original, random));
                long before = GC.GetAllocatedBytesForCurrentThread();
                long start = Stopwatch.GetTimestamp();
                try
                {
                    TextTokenizer tokenizer = TokenizerLoader.Load(path);
                    foreach (int id in tokenizer.Encode(Text, addSpecialTokens: true))
                    {
                        tokenizer.TokenBytes(id);
                    }
                }
                catch (InvalidDataException error)
                {
                    Assert.Contains(path, error.Message);
                    refused++;
                }

                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                Assert.True(allocated < (200L * original.Length) + (64 << 20), $"case {i}: {allocated} bytes for a file of {original.Length}");
                Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30), $"case {i} took {Stopwatch.GetElapsedTime(start)}");
            }

            Assert.InRange(refused, 1, count);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // A tokenizer.json loses most of its merges, so that a mutation hits the fields around them more often.
    private static byte[] Shorten(byte[] bytes, string file)
    {
        if (!file.EndsWith(".json", StringComparison.Ordinal))
        {
            return bytes;
        }

        string text = Encoding.UTF8.GetString(bytes);
        int merges = text.IndexOf("\"merges\"", StringComparison.Ordinal);
        int end = text.IndexOf("],", merges + 2000, StringComparison.Ordinal);
        return Encoding.UTF8.GetBytes(text[..end] + "]]}}");
    }

    private static byte[] Mutate(byte[] original, Random random)
    {
        byte[] bytes = [.. original];
        int edits = random.Next(1, 4);
        for (int i = 0; i < edits; i++)
        {
            int at = random.Next(2) == 0 ? random.Next(Math.Min(bytes.Length, 3000)) : random.Next(bytes.Length);
            int length = Math.Min(random.Next(1, 12), bytes.Length - at);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    random.NextBytes(bytes.AsSpan(at, length));
                    break;
                case 2:
                    bytes = [.. bytes[..at], .. bytes[(at + length)..]];
                    break;
                case 3:
                    bytes = [.. bytes[..at], .. bytes.AsSpan(at, length), .. bytes[at..]];
                    break;
                case 4:
                    string[] pieces = ["null", "-1", "2147483647", "1e300", "\"\"", "[]", "{}", "true", "\\ud800", "(((a*)*)*)*b"];
                    bytes = [.. bytes[..at], .. Encoding.UTF8.GetBytes(pieces[random.Next(pieces.Length)]), .. bytes[(at + length)..]];
                    break;
                default:
                    bytes = bytes[..Math.Max(1, at)];
                    break;
            }
        }

        return bytes;
    }
}
