// SPDX-License-Identifier: MIT
// Compares a source graph with what became of it and writes down the way back.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Makes undo records.</summary>
/// <param name="model">The model; reads tensors of both graphs.</param>
/// <param name="moves">Where moved weights went.</param>
internal sealed class UndoWriter(OnnxModel model, WeightMoves moves)
{
    /// <summary>The record that leads from the model's graph back to its source.</summary>
    /// <param name="source">A copy of the graph as it was.</param>
    public UndoRecord Compare(ModelProto source)
    {
        Dictionary<string, GraphScope> after = new GraphIndex(model.Proto).Scopes.ToDictionary(scope => scope.Path, StringComparer.Ordinal);
        List<UndoScope> scopes = [];
        foreach (GraphScope before in new GraphIndex(source).Scopes)
        {
            if (after.TryGetValue(before.Path, out GraphScope? now) && Scope(before, now) is { IsEmpty: false } changed)
            {
                scopes.Add(changed);
            }
        }

        HashSet<ByteString> functions = [.. model.Proto.Functions.Select(function => function.ToByteString())];
        return new UndoRecord
        {
            Version = UndoRecord.CurrentVersion,
            IrVersion = source.HasIrVersion ? source.IrVersion : null,
            OpsetImports = [.. source.OpsetImport.Select(import => import.ToByteString().ToBase64())],
            Functions = [.. source.Functions
                .Select((function, at) => (Bytes: function.ToByteString(), At: at))
                .Where(item => !functions.Contains(item.Bytes))
                .Select(item => new UndoItem(item.At, item.Bytes.ToBase64()))],
            Scopes = scopes,
        };
    }

    private UndoScope Scope(GraphScope before, GraphScope now)
    {
        UndoScope changes = new(before.Path);
        Diff(before.Graph.Node, now.Graph.Node, NodeKey, (at, node) => changes.Nodes.Add(Node(at, node)), node => changes.AddedNodes.Add(FirstOutput(node)));
        Diff(before.Graph.Initializer, now.Graph.Initializer, tensor => tensor.ToByteString(),
            (at, tensor) => changes.Initializers.Add(Tensor(at, tensor)), tensor => changes.AddedInitializers.Add(tensor.Name));
        Diff(before.Graph.Input, now.Graph.Input, input => input.ToByteString(),
            (at, input) => changes.Inputs.Add(new UndoItem(at, input.ToByteString().ToBase64())), input => changes.AddedInputs.Add(input.Name));
        return changes;
    }

    internal static string FirstOutput(NodeProto node) => node.Output.FirstOrDefault(name => name.Length > 0) ?? "";

    // Graphs inside a node are compared on their own.
    private static ByteString NodeKey(NodeProto node)
    {
        if (node.Attribute.All(attribute => attribute.G is null && attribute.Graphs.Count == 0))
        {
            return node.ToByteString();
        }

        NodeProto bare = new(node);
        foreach (AttributeProto attribute in bare.Attribute)
        {
            attribute.G = null;
            attribute.Graphs.Clear();
        }

        return bare.ToByteString();
    }

    private static void Diff<T>(RepeatedField<T> before, RepeatedField<T> now, Func<T, ByteString> key, Action<int, T> removed, Action<T> added)
    {
        Dictionary<ByteString, int> open = [];
        foreach (T item in now)
        {
            ByteString k = key(item);
            open[k] = open.GetValueOrDefault(k) + 1;
        }

        Dictionary<ByteString, int> kept = [];
        for (int at = 0; at < before.Count; at++)
        {
            ByteString k = key(before[at]);
            if (open.GetValueOrDefault(k) > 0)
            {
                open[k]--;
                kept[k] = kept.GetValueOrDefault(k) + 1;
            }
            else
            {
                removed(at, before[at]);
            }
        }

        foreach (T item in now)
        {
            ByteString k = key(item);
            if (kept.GetValueOrDefault(k) > 0)
            {
                kept[k]--;
            }
            else
            {
                added(item);
            }
        }
    }

    private UndoItem Node(int at, NodeProto node)
    {
        TensorProto? constant = node.Is("Constant") ? node.Attribute("value")?.T : null;
        if (constant is null || !IsElsewhere(constant))
        {
            return new UndoItem(at, node.ToByteString().ToBase64());
        }

        NodeProto bare = new(node);
        ContentMark.ClearData(bare.Attribute("value")!.T);
        return WithData(new UndoItem(at, bare.ToByteString().ToBase64()), constant);
    }

    private UndoItem Tensor(int at, TensorProto tensor)
    {
        if (!IsElsewhere(tensor))
        {
            return new UndoItem(at, tensor.ToByteString().ToBase64());
        }

        TensorProto bare = new(tensor);
        ContentMark.ClearData(bare);
        return WithData(new UndoItem(at, bare.ToByteString().ToBase64()), tensor);
    }

    private bool IsElsewhere(TensorProto tensor) =>
        ContentMark.IndexOf(tensor) >= 0 || tensor.DataLocation == TensorProto.Types.DataLocation.External || MovesOf(tensor).Count > 0;

    // The copy of the graph holds equal messages, not the same ones.
    private List<WeightMove> MovesOf(TensorProto tensor) => [.. moves.All.Where(move => move.Source.Equals(tensor))];

    private UndoItem WithData(UndoItem item, TensorProto tensor)
    {
        List<WeightMove> own = MovesOf(tensor);
        if (own.Count == 0)
        {
            return item with { Data = Convert.ToBase64String(model.Read(tensor)) };
        }

        long elements = own.Sum(move => move.Piece.Elements);
        if (elements != ElementType.Elements(tensor))
        {
            throw new InvalidOperationException($"'{tensor.Name}' has {ElementType.Elements(tensor)} elements, of which {elements} are kept: it could not be restored.");
        }

        return item with
        {
            Pieces = [.. own.Select(move => (move, Back: move.Piece.Inverse(move.Piece.Source))).Select(pair => new UndoPiece(
                pair.move.Scope, pair.move.Tensor.Name, pair.Back.ElementSize, pair.Back.Rows, pair.Back.Columns,
                pair.Back.SourceOffset, pair.Back.SourceRowStride, pair.Back.SourceColumnStride,
                pair.Back.DestinationOffset, pair.Back.DestinationRowStride, pair.Back.DestinationColumnStride))],
        };
    }
}
