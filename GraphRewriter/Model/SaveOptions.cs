// SPDX-License-Identifier: MIT
// How a model is written, how far it is, and what was written.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>How a model is written.</summary>
public sealed record SaveOptions
{
    /// <summary>The most bytes a model file may have: 2 GiB less what readers need to spare.</summary>
    public const long DefaultInlineLimit = int.MaxValue - (64 * 1024);

    /// <summary>Name of the data file; null: the model file's name with ".data" appended.</summary>
    public string? ExternalDataFileName { get; init; }

    /// <summary>New tensors of at least this many bytes become external where the model already has external data, or must.</summary>
    public long ExternalThreshold { get; init; } = 1024;

    /// <summary>Whether new tensors become external also where the model has no external data yet.</summary>
    public bool PreferExternal { get; init; }

    /// <summary>A model file that would be longer gets external data.</summary>
    public long InlineLimit { get; init; } = DefaultInlineLimit;

    /// <summary>
    /// Tensors (as they stand in the model that is saved) whose float, float16, bfloat16 and double values must be finite;
    /// they are checked while they stream. Null: none.
    /// </summary>
    public Func<TensorProto, bool>? RequireFinite { get; init; }
}

/// <summary>How far writing is.</summary>
/// <param name="Written">Bytes written.</param>
/// <param name="Total">Bytes to write.</param>
public readonly record struct SaveProgress(long Written, long Total);

/// <summary>A file that was written.</summary>
/// <param name="Name">Its name in the folder.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Sha256">SHA-256 of its bytes, lower-case hexadecimal.</param>
public sealed record SavedFile(string Name, long Length, string Sha256);

/// <summary>A weight that must be finite is not.</summary>
public sealed class NonFiniteTensorException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="names">The tensors that hold NaN or infinity.</param>
    public NonFiniteTensorException(IReadOnlyList<string> names)
        : base($"NaN or infinity in {string.Join(", ", names.Select(name => $"'{name}'"))}.")
    {
        Names = names;
    }

    /// <summary>The tensors that hold NaN or infinity, as they are named in the model that was saved.</summary>
    public IReadOnlyList<string> Names { get; }
}
