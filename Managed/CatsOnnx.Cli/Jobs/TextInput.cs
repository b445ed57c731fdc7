// SPDX-License-Identifier: MIT
// Text files as windows of a model's tokens.
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Session;
using CatsOnnx.Text;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Cli.Jobs;

internal static class TextInput
{
    /// <summary>Reads and encodes texts by the perplexity protocol.</summary>
    /// <exception cref="InvalidDataException">A text is no UTF-8, or fills no window.</exception>
    /// <exception cref="FileNotFoundException">A text, or the tokenizer, is missing.</exception>
    public static TextWindows Read(ModelFolder folder, IReadOnlyList<string> paths, string? tokenizerPath, int? maxTokens)
    {
        foreach (string path in paths)
        {
            if (!File.Exists(path))
            {
                throw new FileNotFoundException($"There is no text file '{path}' (looked in {Environment.CurrentDirectory}). Give UTF-8 text with --text FILE.", path);
            }
        }

        TextTokenizer tokenizer = folder.LoadTokenizer(tokenizerPath);
        int? bos = tokenizer.BosId ?? folder.Config.BosTokenId;
        int? eos = tokenizer.EosId ?? (folder.Config.EosTokenIds is [int first, ..] ? first : null);
        TextWindows windows;
        try
        {
            windows = ProgressBar.Wait("reading text", () => TextWindows.FromFiles(paths, document => tokenizer.Encode(document), bos, eos, maxTokens));
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{string.Join(", ", paths)}: {error.Message} Give (more) UTF-8 text with --text FILE.", error);
        }

        if (folder.Config.VocabSize is { } vocabulary && tokenizer.VocabularySize > vocabulary && Largest(windows) is int largest && largest >= vocabulary)
        {
            throw new UnsuitableInputException($"The tokenizer {tokenizer.Source} gives the id {largest}; the model knows {vocabulary} ids. Give the model's own with --tokenizer.");
        }

        return windows;
    }

    private static int Largest(TextWindows windows)
    {
        int largest = 0;
        foreach (int id in windows.Ids)
        {
            largest = Math.Max(largest, id);
        }

        return largest;
    }
}
