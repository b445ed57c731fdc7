// SPDX-License-Identifier: MIT
// Documents, windows, limits and shards of a text.
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using CatsOnnx.Tests.Support;
using CatsOnnx.Text;

namespace CatsOnnx.Tests.Unit.Text;

public sealed class TextWindowsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cats-windows-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("a\n<|endoftext|>\nb\n<|endoftext|>\n", "a|b")]
    [InlineData("a\n<|endoftext|>\nb", "a|b")]
    [InlineData("a\n<|endoftext|>", "a")]
    [InlineData("<|endoftext|>\na\n<|endoftext|>\n<|endoftext|>\nb\n", "a|b\n")]
    [InlineData("a\r\n<|endoftext|>\r\nb\r\n", "a|b\r\n")]
    [InlineData("a <|endoftext|> b\n<|endoftext|>c", "a <|endoftext|> b\n<|endoftext|>c")]
    [InlineData("a\n\n\n<|endoftext|>\n\nb", "a\n\n|\nb")]
    [InlineData("", "")]
    public void Documents_are_the_parts_between_separator_lines(string text, string documents)
        => Assert.Equal(documents, string.Join('|', TextWindows.SplitDocuments(text)));

    [Fact]
    public void Shared_texts_split_as_the_protocol_says()
    {
        string? path = SharedFiles.Find("models", "text", "eval_fiction.txt");
        Assert.SkipWhen(path is null, "../shared/models/text is absent");
        string text = File.ReadAllText(path);
        Assert.Equal(text.Split("\n<|endoftext|>\n").Where(part => part.Length > 0), TextWindows.SplitDocuments(text));
    }

    [Fact]
    public void The_last_target_of_a_window_is_the_first_id_of_the_next()
    {
        TextWindows windows = TextWindows.FromIds([.. Enumerable.Range(0, 13)], length: 4);
        Assert.Equal(3, windows.Count);
        Assert.Equal([4, 5, 6, 7], windows.Inputs(1).ToArray());
        Assert.Equal([5, 6, 7, 8], windows.Targets(1).ToArray());
        Assert.Equal([9, 10, 11, 12], windows.Targets(2).ToArray());
        Assert.Equal(Enumerable.Range(0, 12), windows.Ids.ToArray());
    }

    [Theory]
    [InlineData(12, 2)]
    [InlineData(13, 3)]
    [InlineData(14, 3)]
    [InlineData(5, 1)]
    public void N_ids_make_floor_of_n_minus_1_over_length_windows(int ids, int expected)
        => Assert.Equal(expected, TextWindows.FromIds(new int[ids], length: 4).Count);

    [Theory]
    [InlineData(24576, 48)]
    [InlineData(24575, 47)]
    [InlineData(512, 1)]
    public void Max_tokens_takes_the_first_whole_windows(int maxTokens, int expected)
        => Assert.Equal(expected, TextWindows.FromIds(new int[30000], maxTokens).Count);

    [Fact]
    public void Reference_ids_make_the_number_of_windows_that_the_reference_evaluated()
    {
        string? path = SharedFiles.Find("models", "ids", "eval_fiction.4k.u16");
        Assert.SkipWhen(path is null, "../shared/models/ids is absent");
        byte[] bytes = File.ReadAllBytes(path);
        int[] ids = [.. Enumerable.Range(0, bytes.Length / 2).Select(i => (int)BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(2 * i)))];
        Assert.Equal(55296, TextWindows.FromIds(ids).TokenCount);
    }

    [Fact]
    public void Fewer_ids_than_a_window_needs_are_refused_with_both_numbers()
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => TextWindows.FromIds(new int[512]));
        Assert.Contains("512", error.Message);
        Assert.Contains("513", error.Message);
        Assert.Throws<InvalidDataException>(() => TextWindows.FromIds([]));
        Assert.Contains("511", Assert.Throws<ArgumentOutOfRangeException>(() => TextWindows.FromIds(new int[9999], 511)).Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    public void Shards_cover_every_window_once(int shards)
    {
        TextWindows windows = TextWindows.FromIds(new int[29], length: 4);
        int next = 0;
        for (int shard = 1; shard <= shards; shard++)
        {
            (int first, int end) = windows.Shard(shard, shards);
            Assert.Equal(next, first);
            Assert.True(end > first);
            next = end;
        }

        Assert.Equal(windows.Count, next);
    }

    [Fact]
    public void A_shard_out_of_range_is_refused()
    {
        TextWindows windows = TextWindows.FromIds(new int[29], length: 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => windows.Shard(0, 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => windows.Shard(4, 3));
        Assert.Contains("1 to 7", Assert.Throws<ArgumentOutOfRangeException>(() => windows.Shard(1, 8)).Message);
    }

    [Fact]
    public void Files_are_encoded_document_by_document_and_hashed()
    {
        byte[] first = [0xEF, 0xBB, 0xBF, .. "ab\n<|endoftext|>\ncd"u8];
        byte[] second = [.. "efg"u8];
        string[] paths = [Write("one.txt", first), Write("two.txt", second)];
        TextWindows windows = TextWindows.FromFiles(paths, text => [.. text.Select(c => (int)c)], 1, 2, length: 3);
        Assert.Equal([1, 'a', 'b', 2, 1, 'c', 'd', 2, 1, 'e', 'f', 'g'], windows.Ids.ToArray());
        Assert.Equal(2, windows.Targets(3)[^1]);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData([.. first, .. second])), windows.TextSha256);
    }

    [Fact]
    public void Documents_beyond_the_limit_are_not_encoded_but_hashed()
    {
        byte[] text = Encoding.UTF8.GetBytes(string.Join("\n<|endoftext|>\n", Enumerable.Repeat("abcdef", 50)));
        int encoded = 0;
        TextWindows windows = TextWindows.FromFiles([Write("many.txt", text)], document =>
        {
            encoded++;
            return [.. document.Select(c => (int)c)];
        }, null, null, maxTokens: 8, length: 4);
        Assert.Equal(2, windows.Count);
        Assert.Equal(2, encoded);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(text)), windows.TextSha256);
    }

    [Fact]
    public void Bytes_that_are_no_text_are_refused_with_the_path()
    {
        string path = Write("bad.txt", [0x61, 0xFF, 0x62]);
        Assert.Contains("bad.txt", Assert.Throws<InvalidDataException>(() => TextWindows.FromFiles([path], _ => [1], 1, 2)).Message);
    }

    [Fact]
    public void Progress_tells_rate_and_time_left()
    {
        TokenProgress progress = new("observe", 1000, 4000, TimeSpan.FromSeconds(2));
        Assert.Equal(500, progress.TokensPerSecond);
        Assert.Equal(TimeSpan.FromSeconds(6), progress.Remaining);
        Assert.Null(new TokenProgress("observe", 0, 4000, TimeSpan.Zero).Remaining);
    }

    private string Write(string name, byte[] bytes)
    {
        string path = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
