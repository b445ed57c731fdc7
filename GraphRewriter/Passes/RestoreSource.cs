// SPDX-License-Identifier: MIT
// Follows an undo record: the source's nodes, names, bytes, inputs, operator sets, functions and IR version.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Takes a rewrite back.</summary>
internal static class RestoreSource
{
    /// <summary>Restores the source graph in place.</summary>
    /// <param name="model">A rewritten model.</param>
    /// <param name="record">Its record.</param>
    /// <exception cref="InvalidDataException">The graph is not the one the record was written for.</exception>
    public static void Run(OnnxModel model, UndoRecord record)
    {
        try
        {
            Restore(model, record);
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"The record of the source graph does not fit this graph: {e.Message}", e);
        }
    }

    private static void Restore(OnnxModel model, UndoRecord record)
    {
        ModelProto proto = model.Proto;
        Dictionary<string, GraphProto> graphs = new GraphIndex(proto).Scopes.ToDictionary(scope => scope.Path, scope => scope.Graph, StringComparer.Ordinal);
        List<(GraphProto Graph, UndoScope Changes, List<(int At, TensorProto Tensor)> Tensors)> restored = [];
        foreach (UndoScope changes in record.Scopes)
        {
            if (!graphs.TryGetValue(changes.Path, out GraphProto? graph))
            {
                throw new InvalidDataException($"The graph '{changes.Path}' is gone; the source cannot be restored.");
            }

            List<(int At, TensorProto Tensor)> tensors = [.. changes.Initializers.Select(item => (item.At, Tensor(item, TensorProto.Parser.ParseFrom(Bytes(item)), model, graphs)))];
            List<(int At, NodeProto Node)> nodes = [.. changes.Nodes.Select(item => (item.At, Node(item, model, graphs)))];
            Remove(graph.Node, changes.AddedNodes, UndoWriter.FirstOutput, "node that makes");
            Insert(graph.Node, nodes);
            Remove(graph.Input, changes.AddedInputs, input => input.Name, "input");
            Insert(graph.Input, [.. changes.Inputs.Select(item => (item.At, ValueInfoProto.Parser.ParseFrom(Bytes(item))))]);
            restored.Add((graph, changes, tensors));
        }

        // Pieces may refer to initializers of another graph, so none goes before all have been found.
        foreach ((GraphProto graph, UndoScope changes, List<(int At, TensorProto Tensor)> tensors) in restored)
        {
            Remove(graph.Initializer, changes.AddedInitializers, tensor => tensor.Name, "initializer");
            Insert(graph.Initializer, tensors);
        }

        for (int i = proto.Functions.Count - 1; i >= 0; i--)
        {
            if (proto.Functions[i].Domain == OpSchemas.Domain)
            {
                proto.Functions.RemoveAt(i);
            }
        }

        Insert(proto.Functions, [.. record.Functions.Select(item => (item.At, FunctionProto.Parser.ParseFrom(Bytes(item))))]);
        proto.OpsetImport.Clear();
        proto.OpsetImport.AddRange(record.OpsetImports.Select(text => OperatorSetIdProto.Parser.ParseFrom(Convert.FromBase64String(text))));
        if (record.IrVersion is { } version)
        {
            proto.IrVersion = version;
        }
        else
        {
            proto.ClearIrVersion();
        }
    }

    private static byte[] Bytes(UndoItem item) => Convert.FromBase64String(item.Message);

    private static NodeProto Node(UndoItem item, OnnxModel model, Dictionary<string, GraphProto> graphs)
    {
        NodeProto node = NodeProto.Parser.ParseFrom(Bytes(item));
        if ((item.Data is not null || item.Pieces is not null) && node.Attribute("value")?.T is { } tensor)
        {
            Tensor(item, tensor, model, graphs);
        }

        return node;
    }

    private static TensorProto Tensor(UndoItem item, TensorProto tensor, OnnxModel model, Dictionary<string, GraphProto> graphs)
    {
        if (item.Data is not null)
        {
            model.SetContent(tensor, new TensorContent.Bytes(Convert.FromBase64String(item.Data)));
        }
        else if (item.Pieces is { } pieces)
        {
            model.SetContent(tensor, Content(pieces, tensor, model, graphs));
        }

        return tensor;
    }

    private static TensorContent Content(IReadOnlyList<UndoPiece> pieces, TensorProto tensor, OnnxModel model, Dictionary<string, GraphProto> graphs)
    {
        List<TensorContent> contents = [.. pieces.Select(piece => model.Content(Find(piece, graphs)))];
        long length = ElementType.ByteLength(tensor);

        // In memory, before the rewritten model was saved, the source's own bytes are still what the new tensors are made of.
        if (contents[0] is TensorContent.Pieces { Items: [var first] } && first.Source.Length == length
            && contents.All(content => content is TensorContent.Pieces { Items: [var one] } && one.Source.Equals(first.Source)))
        {
            return first.Source;
        }

        return new TensorContent.Pieces(
            [.. pieces.Zip(contents, (piece, content) => new StridedPiece(
                content, piece.ElementSize, piece.Rows, piece.Columns, piece.SourceOffset, piece.SourceRowStride, piece.SourceColumnStride,
                piece.DestinationOffset, piece.DestinationRowStride, piece.DestinationColumnStride))],
            length);
    }

    private static TensorProto Find(UndoPiece piece, Dictionary<string, GraphProto> graphs) =>
        graphs.GetValueOrDefault(piece.Scope)?.Initializer.FirstOrDefault(tensor => tensor.Name == piece.Tensor)
            ?? throw new InvalidDataException($"The initializer '{piece.Tensor}' is gone; the source cannot be restored.");

    private static void Remove<T>(RepeatedField<T> list, List<string> names, Func<T, string> nameOf, string kind)
    {
        HashSet<string> going = new(names, StringComparer.Ordinal);
        List<T> kept = [.. list.Where(item => !going.Remove(nameOf(item)))];
        if (going.Count > 0)
        {
            throw new InvalidDataException($"The {kind} '{going.First()}' is gone; the source cannot be restored.");
        }

        list.Clear();
        list.AddRange(kept);
    }

    private static void Insert<T>(RepeatedField<T> list, IReadOnlyList<(int At, T Item)> items)
    {
        List<T> all = [.. list];
        foreach ((int at, T item) in items.OrderBy(pair => pair.At))
        {
            all.Insert(Math.Min(at, all.Count), item);
        }

        list.Clear();
        list.AddRange(all);
    }
}
