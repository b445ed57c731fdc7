// SPDX-License-Identifier: MIT
// The one exception for a file that is no valid model: it names the file and what is wrong with it.
namespace CatsOnnx.GraphRewriter;

/// <summary>A model file, or a file that it refers to, is not what it must be. The message names the file and the fault.</summary>
public sealed class InvalidModelException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="filePath">The file that is at fault.</param>
    /// <param name="problem">What is wrong with it, as the rest of a sentence after the file's name.</param>
    /// <param name="innerException">What the reader met first, if anything.</param>
    public InvalidModelException(string filePath, string problem, Exception? innerException = null)
        : base($"{filePath}: {problem}", innerException)
    {
        FilePath = filePath;
        Problem = problem;
    }

    /// <summary>The file that is at fault.</summary>
    public string FilePath { get; }

    /// <summary>What is wrong with it.</summary>
    public string Problem { get; }
}
