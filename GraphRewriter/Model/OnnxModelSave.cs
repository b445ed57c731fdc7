// SPDX-License-Identifier: MIT
// Writing a model: to a folder, streamed, or to memory.
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;

namespace CatsOnnx.GraphRewriter.Model;

public sealed partial class OnnxModel
{
    private const int ScanBytes = 4 * 1024 * 1024;

    /// <summary>
    /// The whole model as the bytes of a model file, for a session in memory: data that is not external in
    /// <see cref="Proto"/> stands in the bytes; external data keeps its names, relative to <see cref="Folder"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">The bytes would pass 2 GiB.</exception>
    public byte[] ToBytes() => new ModelWriter(this, _files, new SaveOptions()).ToBytes();

    /// <summary>
    /// Writes the model in bounded memory. Tensors that stood in the model file stay there while it fits; external ones go
    /// to one data file beside it; tensors that were not given new content keep their bytes.
    /// </summary>
    /// <param name="path">The model file; its folder exists, the file does not.</param>
    /// <param name="options">How it is written.</param>
    /// <param name="progress">Told about bytes written.</param>
    /// <param name="cancellation">Stops the writing; what was written is removed.</param>
    /// <returns>The files, the model file last.</returns>
    /// <exception cref="NonFiniteTensorException">Tensors that must be finite are not; what was written is removed.</exception>
    /// <exception cref="InvalidModelException">A source file changed or cannot be read.</exception>
    /// <exception cref="IOException">A file exists already, or the disk is full.</exception>
    public IReadOnlyList<SavedFile> Save(
        string path, SaveOptions? options = null, IProgress<SaveProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new ModelWriter(this, _files, options ?? new SaveOptions()).Write(System.IO.Path.GetFullPath(path), progress, cancellation);
    }

    /// <summary>Whether every value of a float, float16, bfloat16 or double tensor is finite; reads it once, holes of the file excepted.</summary>
    /// <param name="tensor">A tensor of this model.</param>
    /// <returns>True for tensors of other types.</returns>
    /// <exception cref="InvalidModelException">The tensor's external data is missing or unsafe.</exception>
    public bool IsFinite(TensorProto tensor)
    {
        TensorContent content = Content(tensor);
        if (!FiniteScan.Checks(tensor.DataType))
        {
            return true;
        }

        byte[] buffer = new byte[Math.Min(content.Length, ScanBytes)];
        for (long offset = 0; offset < content.Length;)
        {
            // a hole reads as zeros; the next read starts on a whole element
            offset = Math.Max(offset, ContentReader.NextData(_files, content, offset) / 8 * 8);
            int count = (int)Math.Min(buffer.Length, content.Length - offset);
            ReadAt(content, offset, buffer.AsSpan(0, count));
            if (!FiniteScan.IsFinite(buffer.AsSpan(0, count), tensor.DataType))
            {
                return false;
            }

            offset += count;
        }

        return true;
    }

    internal (int Field, TensorContent Content) ContentOf(int index) => (_contents[index].Field, _contents[index].Content);

    internal bool IsFromFile(int index) => _contents[index].FromFile;
}
