// SPDX-License-Identifier: MIT
// Text cut into windows of equal length, the unit that calibration and evaluation read:
// documents parted by <|endoftext|> lines, each [bos] ids [eos], concatenated, cut every 512 ids.
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace CatsOnnx.Text;

/// <summary>Turns one document into token ids, without beginning and end of sequence.</summary>
/// <param name="document">The text of one document.</param>
/// <returns>Its token ids.</returns>
public delegate IReadOnlyList<int> DocumentEncoder(string document);

/// <summary>
/// Token ids cut into windows: window i reads ids [i * Length, (i + 1) * Length) at positions 0 to Length - 1 and
/// predicts the ids one further on, so that the last target of a window is the first id of the next one.
/// What does not fill a window is dropped.
/// </summary>
public sealed partial class TextWindows
{
    /// <summary>The length of a window of the project's perplexity protocol, in tokens.</summary>
    public const int DefaultLength = 512;

    /// <summary>The line that parts two documents of a text.</summary>
    public const string DocumentSeparator = "<|endoftext|>";

    private readonly int[] _ids; // [Count * Length + 1]

    private TextWindows(int[] ids, int length, string textSha256)
    {
        _ids = ids;
        Length = length;
        Count = (ids.Length - 1) / length;
        TextSha256 = textSha256;
    }

    /// <summary>Tokens in a window.</summary>
    public int Length { get; }

    /// <summary>Number of windows.</summary>
    public int Count { get; }

    /// <summary>Tokens read by all windows: Count * Length.</summary>
    public long TokenCount => (long)Count * Length;

    /// <summary>SHA-256 of the text's bytes (of all files, one after another), in lower-case hexadecimal; empty where the ids had no text.</summary>
    public string TextSha256 { get; }

    /// <summary>The ids that the windows read, one after another: [Count * Length].</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Count * Length);

    /// <summary>The ids that window <paramref name="index"/> reads: [Length].</summary>
    /// <param name="index">0 to Count - 1.</param>
    public ReadOnlySpan<int> Inputs(int index) => _ids.AsSpan(Start(index), Length);

    /// <summary>The ids that window <paramref name="index"/> predicts, one per position: [Length].</summary>
    /// <param name="index">0 to Count - 1.</param>
    public ReadOnlySpan<int> Targets(int index) => _ids.AsSpan(Start(index) + 1, Length);

    /// <summary>Windows over ids that exist already.</summary>
    /// <param name="ids">Token ids with their beginnings and ends of sequence.</param>
    /// <param name="maxTokens">Reads at most the first floor(maxTokens / length) windows; null reads all.</param>
    /// <param name="length">Tokens in a window, at least 1.</param>
    /// <returns>Windows without a hash of a text.</returns>
    /// <exception cref="InvalidDataException">The ids fill no window.</exception>
    /// <exception cref="ArgumentOutOfRangeException">length is below 1, or maxTokens below one window.</exception>
    public static TextWindows FromIds(ReadOnlySpan<int> ids, int? maxTokens = null, int length = DefaultLength)
        => Cut(ids, maxTokens, length, textSha256: "");

    /// <summary>Reads text files, encodes their documents and cuts the ids into windows.</summary>
    /// <param name="paths">UTF-8 text files, read in this order; a file ends a document.</param>
    /// <param name="encode">Encodes one document.</param>
    /// <param name="beginOfSequence">The id put before each document, or null where the tokenizer has none.</param>
    /// <param name="endOfSequence">The id put after each document, or null where the tokenizer has none.</param>
    /// <param name="maxTokens">Reads at most the first floor(maxTokens / length) windows; null reads all.</param>
    /// <param name="length">Tokens in a window, at least 1.</param>
    /// <returns>Windows of all documents one after another; a window may hold the end of one and the start of the next.</returns>
    /// <exception cref="InvalidDataException">A file is no UTF-8 text, or the text fills no window.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="ArgumentOutOfRangeException">length is below 1, or maxTokens below one window.</exception>
    public static TextWindows FromFiles(
        IReadOnlyList<string> paths,
        DocumentEncoder encode,
        int? beginOfSequence,
        int? endOfSequence,
        int? maxTokens = null,
        int length = DefaultLength)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentNullException.ThrowIfNull(encode);
        long needed = (long)WindowLimit(maxTokens, length) * length + 1;
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        List<int> ids = [];
        foreach (string path in paths)
        {
            byte[] bytes = File.ReadAllBytes(path);
            hash.AppendData(bytes);
            foreach (string document in SplitDocuments(Decode(bytes, path)))
            {
                if (ids.Count >= needed)
                {
                    break;
                }

                Append(ids, encode(document), beginOfSequence, endOfSequence);
            }
        }

        string sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
        return Cut(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids), maxTokens, length, sha256);
    }

    /// <summary>The documents of a text: its parts between lines that hold <see cref="DocumentSeparator"/> alone; empty parts are dropped.</summary>
    /// <param name="text">The whole text.</param>
    /// <returns>In their order, at least one character each; none for an empty text.</returns>
    public static IReadOnlyList<string> SplitDocuments(string text)
        => [.. SeparatorLine().Split(text).Where(part => part.Length > 0)];

    /// <summary>The windows that one of several machines reads: contiguous, together all windows once.</summary>
    /// <param name="shard">Which part, 1 to <paramref name="shards"/>.</param>
    /// <param name="shards">How many parts there are, 1 to Count.</param>
    /// <returns>The first window and the window after the last.</returns>
    /// <exception cref="ArgumentOutOfRangeException">shard or shards is out of its range.</exception>
    public (int First, int End) Shard(int shard, int shards)
    {
        if (shards < 1 || shards > Count)
        {
            throw new ArgumentOutOfRangeException(nameof(shards), shards, $"{Count} windows can be read in 1 to {Count} shards, not in {shards}.");
        }

        if (shard < 1 || shard > shards)
        {
            throw new ArgumentOutOfRangeException(nameof(shard), shard, $"Shards are numbered 1 to {shards}; {shard} is none of them.");
        }

        return ((int)((long)Count * (shard - 1) / shards), (int)((long)Count * shard / shards));
    }

    private static TextWindows Cut(ReadOnlySpan<int> ids, int? maxTokens, int length, string textSha256)
    {
        int limit = WindowLimit(maxTokens, length);
        int count = Math.Min((ids.Length - 1) / length, limit);
        return count > 0
            ? new(ids[..(count * length + 1)].ToArray(), length, textSha256)
            : throw new InvalidDataException($"The text has {ids.Length} tokens; one window needs {length + 1}.");
    }

    private static int WindowLimit(int? maxTokens, int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        return maxTokens is not int most ? int.MaxValue / length - 1
            : most >= length ? most / length
            : throw new ArgumentOutOfRangeException(nameof(maxTokens), most, $"At most {most} tokens were asked for; one window has {length}.");
    }

    private static void Append(List<int> ids, IReadOnlyList<int> document, int? beginOfSequence, int? endOfSequence)
    {
        if (beginOfSequence is int begin)
        {
            ids.Add(begin);
        }

        ids.AddRange(document);
        if (endOfSequence is int end)
        {
            ids.Add(end);
        }
    }

    private static string Decode(byte[] bytes, string path)
    {
        ReadOnlySpan<byte> text = bytes;
        if (text.StartsWith(Encoding.UTF8.Preamble))
        {
            text = text[Encoding.UTF8.Preamble.Length..];
        }

        try
        {
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(text);
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidDataException($"{path} is not UTF-8 text: {error.Message}", error);
        }
    }

    private int Start(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        return index * Length;
    }

    // A separator at the very start or end of a text parts it too: people write files without a last newline.
    // Separators one after another share the newline between them.
    [GeneratedRegex(@"(?:(?:^|\r?\n)<\|endoftext\|>(?=\r?\n|\z))+(?:\r?\n)?", RegexOptions.CultureInvariant)]
    private static partial Regex SeparatorLine();
}
