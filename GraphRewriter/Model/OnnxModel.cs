// SPDX-License-Identifier: MIT
// A model file and its external data: the graph in memory, the weights where they lie.
using System.Globalization;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;
using Google.Protobuf;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>
/// A model whose graph is in memory and whose weights are not. Large tensors of <see cref="Proto"/> hold a mark instead of
/// data (copies of the message keep it): use <see cref="Content"/>, <see cref="Read"/> and <see cref="SetContent"/>, and
/// write the model only by <see cref="Save"/> or <see cref="ToBytes"/>.
/// </summary>
public sealed partial class OnnxModel
{
    private const int MaxReadBytes = 256 * 1024 * 1024;

    private readonly List<StoredContent> _contents;
    private readonly ModelFiles _files;

    private OnnxModel(ModelProto proto, string? path, string? folder, List<StoredContent> contents, ModelFiles files)
    {
        Proto = proto;
        Path = path;
        Folder = folder;
        _contents = contents;
        _files = files;
    }

    /// <summary>The graph. Edit it freely; tensors of new data get it by <see cref="SetContent"/> or hold it themselves.</summary>
    public ModelProto Proto { get; }

    /// <summary>The file that was loaded; null for a model made in memory.</summary>
    public string? Path { get; }

    /// <summary>The folder that external data is relative to; null where there is none.</summary>
    public string? Folder { get; }

    /// <summary>Reads a model's graph; its weights stay in their files.</summary>
    /// <param name="path">The .onnx file.</param>
    /// <param name="allowHardLinks">Whether external data may be a file with several hard links.</param>
    /// <exception cref="InvalidModelException">The file, or external data of it, is missing, damaged, unsafe or no ONNX model.</exception>
    public static OnnxModel Load(string path, bool allowHardLinks = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = System.IO.Path.GetFullPath(path);
        ModelFiles.OpenFile file = ModelFiles.OpenModel(full);
        using (file.Handle)
        {
            if (file.Length == 0)
            {
                throw new InvalidModelException(full, "it is empty.");
            }

            if (file.Length > int.MaxValue)
            {
                throw new InvalidModelException(full, $"it has {file.Length} bytes; a model file holds at most {int.MaxValue}.");
            }

            try
            {
                (ArraySegment<byte> skeleton, IReadOnlyList<InlineData> data) = InlineTensors.Scan(new FileWindow(file.Handle, full, file.Length));
                return Create(Parse(skeleton, full), full, System.IO.Path.GetDirectoryName(full), data, allowHardLinks);
            }
            catch (IOException e)
            {
                throw new InvalidModelException(full, $"it cannot be read: {e.Message}", e);
            }
        }
    }

    /// <summary>A model made in memory.</summary>
    /// <param name="proto">The graph, with data in the messages or external.</param>
    /// <param name="folder">The folder that external data is relative to; null where there is none.</param>
    /// <exception cref="InvalidModelException">A tensor is not what its type and shape say.</exception>
    public static OnnxModel FromProto(ModelProto proto, string? folder = null)
    {
        ArgumentNullException.ThrowIfNull(proto);
        return Create(proto, null, folder is null ? null : System.IO.Path.GetFullPath(folder), [], false);
    }

    /// <summary>A copy of the graph that can be edited apart; both read the same files.</summary>
    public OnnxModel Clone() => new(Proto.Clone(), Path, Folder, [.. _contents], _files);

    /// <summary>What a tensor's bytes are. Typed fields (float_data and so on) are given as raw bytes.</summary>
    /// <param name="tensor">A tensor of this model.</param>
    /// <returns>Bytes in memory, a place in a file, or pieces of other tensors.</returns>
    /// <exception cref="InvalidModelException">The tensor's external data is missing or unsafe.</exception>
    internal TensorContent Content(TensorProto tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        int index = ContentMark.IndexOf(tensor);
        if (index >= 0)
        {
            return _contents[index].Content;
        }

        return tensor.DataLocation == TensorProto.Types.DataLocation.External
            ? new TensorContent.Stored(ResolveExternal(tensor))
            : new TensorContent.Bytes(TensorData.Raw(tensor));
    }

    /// <summary>Where a tensor's bytes lie in a file; null where they are in memory or made of pieces.</summary>
    /// <param name="tensor">A tensor of this model.</param>
    /// <returns>File, first byte and length.</returns>
    /// <exception cref="InvalidModelException">The tensor's external data is missing or unsafe.</exception>
    public TensorLocation? Locate(TensorProto tensor) => (Content(tensor) as TensorContent.Stored)?.Location;

    /// <summary>Number of bytes of a tensor's data.</summary>
    /// <param name="tensor">A tensor of this model.</param>
    /// <returns>Bytes of the elements as they are stored, row-major.</returns>
    /// <exception cref="InvalidModelException">The tensor's external data is missing or unsafe.</exception>
    public long ByteLength(TensorProto tensor) => Content(tensor).Length;

    /// <summary>The raw bytes of a tensor of moderate size.</summary>
    /// <param name="tensor">A tensor of this model.</param>
    /// <returns>Little-endian elements, row-major.</returns>
    /// <exception cref="InvalidOperationException">The tensor has more than 256 MiB; read windows of it.</exception>
    /// <exception cref="InvalidModelException">The tensor's external data is missing or unsafe.</exception>
    public byte[] Read(TensorProto tensor)
    {
        TensorContent content = Content(tensor);
        if (content.Length > MaxReadBytes)
        {
            throw new InvalidOperationException($"'{tensor.Name}' has {content.Length} bytes; at most {MaxReadBytes} are read at once.");
        }

        byte[] bytes = new byte[content.Length];
        ReadAt(content, 0, bytes);
        return bytes;
    }

    /// <summary>Reads a window of a tensor's raw bytes.</summary>
    /// <param name="tensor">A tensor of this model.</param>
    /// <param name="offset">First byte, from the start of the tensor.</param>
    /// <param name="destination">Filled entirely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The window does not lie inside the tensor.</exception>
    public void ReadAt(TensorProto tensor, long offset, Span<byte> destination) => ReadAt(Content(tensor), offset, destination);

    /// <summary>Gives a tensor new bytes, in place of all that it had.</summary>
    /// <param name="tensor">A tensor that is or will be in <see cref="Proto"/>; its type and dims are set already.</param>
    /// <param name="content">Its bytes.</param>
    /// <exception cref="ArgumentException">The content has another length than the tensor's type and shape ask for.</exception>
    internal void SetContent(TensorProto tensor, TensorContent content)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentNullException.ThrowIfNull(content);
        long expected = ElementType.ByteLength(tensor);
        if (content.Length != expected)
        {
            throw new ArgumentException($"'{tensor.Name}' asks for {expected} bytes; the content has {content.Length}.", nameof(content));
        }

        ContentMark.Set(tensor, _contents.Count);
        _contents.Add(new StoredContent(content, 9, FromFile: false));
    }

    private static ModelProto Parse(ArraySegment<byte> skeleton, string path)
    {
        try
        {
            using MemoryStream stream = new(skeleton.Array!, skeleton.Offset, skeleton.Count, writable: false);
            using CodedInputStream input = CodedInputStream.CreateWithLimits(stream, int.MaxValue, 200);
            return ModelProto.Parser.ParseFrom(input);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidModelException(path, $"it is damaged or no ONNX model: {e.Message}", e);
        }
    }

    private static OnnxModel Create(ModelProto proto, string? path, string? folder, IReadOnlyList<InlineData> data, bool allowHardLinks)
    {
        List<StoredContent> contents = [.. data.Select(d => new StoredContent(new TensorContent.Stored(d.Location), d.Field, FromFile: true))];
        OnnxModel model = new(proto, path, folder, contents, new ModelFiles(path, folder, allowHardLinks));
        ModelCheck.RequireSound(proto, path ?? "model in memory");
        foreach (TensorProto tensor in TensorWalk.Tensors(proto))
        {
            int index = ContentMark.IndexOf(tensor);
            if (TensorData.Fault(tensor, index < 0 ? null : data[index]) is { } fault)
            {
                throw new InvalidModelException(path ?? "model in memory", $"tensor '{tensor.Name}': {fault}.");
            }

            if (tensor.DataLocation == TensorProto.Types.DataLocation.External)
            {
                model.ResolveExternal(tensor);
            }
        }

        return model;
    }

    private TensorLocation ResolveExternal(TensorProto tensor)
    {
        string blamed = Path ?? Folder ?? "model in memory";
        try
        {
            ExternalDataEntry entry = ExternalDataEntry.Parse(tensor);
            if (ElementType.Bits(tensor.DataType) == 0)
            {
                throw new FormatException($"elements of type {tensor.DataType} cannot be external data");
            }

            long expected = ElementType.ByteLength(tensor);
            if (entry.Length is { } length && length != expected)
            {
                throw new FormatException($"external data has the length {length}; the shape [{string.Join(", ", tensor.Dims)}] asks for {expected}");
            }

            ModelFiles.OpenFile file = _files.External(entry.Location);
            if (entry.Offset > file.Length || expected > file.Length - entry.Offset)
            {
                throw new FormatException($"external data reaches from byte {entry.Offset} over {expected} bytes; '{entry.Location}' has {file.Length}");
            }

            return new TensorLocation(file.Path, entry.Offset, expected);
        }
        catch (FormatException e)
        {
            throw new InvalidModelException(blamed, $"tensor '{tensor.Name}': {e.Message}.", e);
        }
        catch (OverflowException e)
        {
            throw new InvalidModelException(blamed, string.Create(CultureInfo.InvariantCulture, $"tensor '{tensor.Name}': the size of [{string.Join(", ", tensor.Dims)}] overflows 64 bits."), e);
        }
    }

    private void ReadAt(TensorContent content, long offset, Span<byte> destination)
    {
        if (offset < 0 || destination.Length > content.Length - offset)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{destination.Length} bytes from there do not lie inside a tensor of {content.Length} bytes.");
        }

        ContentReader.Read(_files, content, offset, destination);
    }

    /// <summary>The content behind a mark.</summary>
    /// <param name="Content">The bytes.</param>
    /// <param name="Field">The field of TensorProto that they fill when written inline.</param>
    /// <param name="FromFile">Whether they stood inline in the file that was loaded.</param>
    internal sealed record StoredContent(TensorContent Content, int Field, bool FromFile);
}
