// SPDX-License-Identifier: MIT
// Decides for each tensor of a model whether it stands in the model file or in the data file, and writes both.
using System.Globalization;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;
using Google.Protobuf;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Writes one model.</summary>
internal sealed class ModelWriter
{
    /// <summary>From this size on a tensor starts on a page of its own, as readers that map the file want it.</summary>
    private const long PageAlignedFrom = 4096;
    private const long PageAlignment = 4096;
    private const long SmallAlignment = 64;

    private readonly OnnxModel _model;
    private readonly ModelFiles _files;
    private readonly ModelProto _proto;
    private readonly SaveOptions _options;
    private readonly Dictionary<(string, long, long), long> _placed = [];
    private readonly List<ContentStream.Item> _data = [];
    private long _dataLength;

    public ModelWriter(OnnxModel model, ModelFiles files, SaveOptions options)
    {
        _model = model;
        _files = files;
        _options = options;
        _proto = model.Proto.Clone();
    }

    /// <summary>Writes the data file and the model file; an existing file is never touched.</summary>
    public IReadOnlyList<SavedFile> Write(string path, IProgress<SaveProgress>? progress, CancellationToken cancellation)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string dataName = _options.ExternalDataFileName ?? Path.GetFileName(path) + ".data";
        SkeletonWriter plan = PlaceTensors(dataName);
        List<ContentStream.Item> modelBlocks = [];
        long position = 0;
        foreach (SkeletonWriter.Part part in plan.Parts)
        {
            TensorContent content = part.Content ?? new TensorContent.Bytes(plan.BytesOf(part).ToArray());
            modelBlocks.Add(new ContentStream.Item(position, content, null, 0));
            position += content.Length;
        }

        List<SavedFile> saved = [];
        List<string> made = [];
        long total = _dataLength + plan.Length;
        try
        {
            ContentStream stream = new(_files, progress, total, cancellation);
            if (_dataLength > 0)
            {
                string dataPath = Path.Combine(folder, dataName);
                RequireAbsent(dataPath);
                made.Add(dataPath);
                saved.Add(new SavedFile(dataName, _dataLength, stream.Write(dataPath, _data, _dataLength)));
            }

            RequireAbsent(path);
            made.Add(path);
            saved.Add(new SavedFile(Path.GetFileName(path), plan.Length, stream.Write(path, Checked(modelBlocks), plan.Length)));
            if (stream.NonFinite.Count > 0)
            {
                throw new NonFiniteTensorException(stream.NonFinite);
            }

            return saved;
        }
        catch
        {
            foreach (string file in made)
            {
                File.Delete(file);
            }

            throw;
        }
    }

    /// <summary>The whole model in memory.</summary>
    public byte[] ToBytes()
    {
        SkeletonWriter plan = new(_proto.ToByteArray(), _model.ContentOf);
        if (plan.Length > SaveOptions.DefaultInlineLimit)
        {
            throw new InvalidOperationException($"The model would have {plan.Length} bytes in memory; at most {SaveOptions.DefaultInlineLimit} are possible. Save it to a folder.");
        }

        byte[] bytes = new byte[plan.Length];
        int position = 0;
        foreach (SkeletonWriter.Part part in plan.Parts)
        {
            if (part.Content is null)
            {
                ReadOnlySpan<byte> span = plan.BytesOf(part);
                span.CopyTo(bytes.AsSpan(position));
                position += span.Length;
            }
            else
            {
                ContentReader.Read(_files, part.Content, 0, bytes.AsSpan(position, (int)part.Content.Length));
                position += (int)part.Content.Length;
            }
        }

        return bytes;
    }

    private static void RequireAbsent(string path)
    {
        if (File.Exists(path) || Directory.Exists(path) || new FileInfo(path).LinkTarget is not null)
        {
            throw new IOException($"{path} exists already; a model is only ever written to a new file.");
        }
    }

    /// <summary>Gives every tensor its place; the marks that are left stand for data inside the model file.</summary>
    private SkeletonWriter PlaceTensors(string dataName)
    {
        List<TensorProto> tensors = [.. TensorWalk.Tensors(_proto)];
        bool hasExternal = _options.PreferExternal || tensors.Any(tensor => tensor.DataLocation == TensorProto.Types.DataLocation.External);
        foreach (TensorProto tensor in tensors)
        {
            int index = ContentMark.IndexOf(tensor);
            bool external = tensor.DataLocation == TensorProto.Types.DataLocation.External
                || (index >= 0 && hasExternal && !_model.IsFromFile(index) && _model.ByteLength(tensor) >= _options.ExternalThreshold);
            if (external)
            {
                Externalise(tensor, dataName);
            }
        }

        SkeletonWriter plan = new(_proto.ToByteArray(), _model.ContentOf);
        if (plan.Length <= _options.InlineLimit)
        {
            return plan;
        }

        foreach (TensorProto tensor in TensorWalk.Initializers(_proto))
        {
            if (tensor.DataLocation != TensorProto.Types.DataLocation.External
                && ElementType.Bits(tensor.DataType) != 0 && _model.ByteLength(tensor) >= _options.ExternalThreshold)
            {
                Externalise(tensor, dataName);
            }
        }

        plan = new SkeletonWriter(_proto.ToByteArray(), _model.ContentOf);
        return plan.Length <= _options.InlineLimit
            ? plan
            : throw new InvalidOperationException($"The model file would have {plan.Length} bytes even with all weights outside; at most {_options.InlineLimit} are possible.");
    }

    private void Externalise(TensorProto tensor, string dataName)
    {
        TensorContent content = _model.Content(tensor);
        string? checksum = tensor.ExternalData.FirstOrDefault(entry => entry.Key == "checksum")?.Value;
        long offset = Place(tensor, content);
        ContentMark.ClearData(tensor);
        tensor.DataLocation = TensorProto.Types.DataLocation.External;
        Add("location", dataName);
        Add("offset", offset.ToString(CultureInfo.InvariantCulture));
        Add("length", content.Length.ToString(CultureInfo.InvariantCulture));
        if (checksum is not null)
        {
            Add("checksum", checksum);
        }

        void Add(string key, string value) => tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
    }

    private long Place(TensorProto tensor, TensorContent content)
    {
        (string, long, long)? source = content is TensorContent.Stored { Location: var at } ? (at.FilePath, at.Offset, at.Length) : null;
        if (source is { } known && _placed.TryGetValue(known, out long shared))
        {
            return shared;
        }

        long offset = CheckedSize.AlignUp(_dataLength, content.Length >= PageAlignedFrom ? PageAlignment : SmallAlignment);
        bool check = _options.RequireFinite?.Invoke(tensor) == true;
        _data.Add(new ContentStream.Item(offset, content, check ? tensor.Name : null, tensor.DataType));
        _dataLength = CheckedSize.Sum(offset, content.Length);
        if (source is { } key)
        {
            _placed.Add(key, offset);
        }

        return offset;
    }

    /// <summary>The blocks of the model file, with the finite check on the tensors inside it.</summary>
    private List<ContentStream.Item> Checked(List<ContentStream.Item> blocks)
    {
        if (_options.RequireFinite is null)
        {
            return blocks;
        }

        Dictionary<TensorContent, TensorProto> wanted = new(ReferenceEqualityComparer.Instance);
        foreach (TensorProto tensor in TensorWalk.Tensors(_proto))
        {
            if (tensor.DataLocation != TensorProto.Types.DataLocation.External && _options.RequireFinite(tensor))
            {
                int index = ContentMark.IndexOf(tensor);
                if (index >= 0)
                {
                    wanted[_model.ContentOf(index).Content] = tensor;
                }
                else if (tensor.DataType != (int)TensorProto.Types.DataType.String && !FiniteScan.IsFinite(TensorData.Raw(tensor).Span, tensor.DataType))
                {
                    throw new NonFiniteTensorException([tensor.Name]);
                }
            }
        }

        return [.. blocks.Select(block => wanted.TryGetValue(block.Content, out TensorProto? tensor)
            ? block with { CheckedName = tensor.Name, DataType = tensor.DataType }
            : block)];
    }
}
