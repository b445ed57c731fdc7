// SPDX-License-Identifier: MIT
// Finds and reads the tokenizer files of a model.
namespace CatsOnnx.Tokenization;

/// <summary>Reads tokenizers: tokenizer.json (BPE) and SentencePiece .model files (BPE).</summary>
public static class TokenizerLoader
{
    /// <summary>The file names looked for in a folder, in order.</summary>
    internal static readonly string[] FileNames = ["tokenizer.json", "tokenizer.model"];

    /// <summary>Reads the tokenizer at <paramref name="fileOrFolder"/>.</summary>
    /// <param name="fileOrFolder">A tokenizer.json, a .model file, or a folder that holds tokenizer.json or else
    /// tokenizer.model. A tokenizer_config.json beside the file names the bos and eos tokens.</param>
    /// <exception cref="FileNotFoundException">No tokenizer is there; the message names what was looked for.</exception>
    /// <exception cref="InvalidDataException">The file is no tokenizer that is understood; the message names the field.</exception>
    public static TextTokenizer Load(string fileOrFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(fileOrFolder);
        string path = Find(fileOrFolder);
        TokenizerConfig config = TokenizerConfig.ReadBeside(path);
        return path.EndsWith(".model", StringComparison.OrdinalIgnoreCase)
            ? SentencePieceTextTokenizer.Read(path, config)
            : TokenizerJson.Read(path, config);
    }

    private static string Find(string fileOrFolder)
    {
        if (File.Exists(fileOrFolder))
        {
            return fileOrFolder;
        }

        if (!Directory.Exists(fileOrFolder))
        {
            throw new FileNotFoundException($"There is no tokenizer file or folder '{fileOrFolder}'; a tokenizer.json, a tokenizer.model or a folder with one is wanted.", fileOrFolder);
        }

        foreach (string name in FileNames)
        {
            string path = Path.Combine(fileOrFolder, name);
            if (File.Exists(path))
            {
                return path;
            }
        }

        throw new FileNotFoundException($"Folder '{fileOrFolder}' holds no tokenizer: looked for {string.Join(" and ", FileNames)}.", fileOrFolder);
    }
}
