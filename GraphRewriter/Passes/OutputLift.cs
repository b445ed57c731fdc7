// SPDX-License-Identifier: MIT
// Makes values of a graph outputs of the model, also out of the branches of an If: a branch that lacks one gives zeros.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using static CatsOnnx.GraphRewriter.Proto.TensorProto.Types;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Lifts values to the main graph.</summary>
/// <param name="index">The graphs; nodes may have been replaced since, the graphs themselves not.</param>
/// <param name="names">New names.</param>
internal sealed class OutputLift(GraphIndex index, NameSource names)
{
    /// <summary>Why a value of that graph cannot become an output, or null.</summary>
    /// <param name="scope">The graph.</param>
    public static string? Fault(GraphScope scope)
    {
        for (GraphScope? at = scope; at is { Owner: { } owner }; at = at.Parent)
        {
            if (!owner.Is("If"))
            {
                return $"it stands in the body of {GraphText.Place(owner)} ({owner.OpType}), which gives no value of one pass";
            }
        }

        return null;
    }

    /// <summary>Names for one value in each of some graphs that will be one output: the output's own name in the main graph.</summary>
    /// <param name="scope">The graph.</param>
    /// <param name="output">The output's name.</param>
    public string NameIn(GraphScope scope, string output) => scope.Parent is null ? output : names.Fresh(output);

    /// <summary>Makes one output of the model of a value, or of one value in each branch of an If.</summary>
    /// <param name="sites">Graphs and names, from <see cref="NameIn"/>; several stand in branches of one If.</param>
    /// <param name="output">The output's name.</param>
    /// <param name="type">Its element type.</param>
    /// <param name="dims">Its shape; null where it is not known.</param>
    public void Lift(IReadOnlyList<(GraphScope Scope, string Name)> sites, string output, DataType type, long[]? dims)
    {
        GraphScope scope = sites[0].Scope;
        if (scope.Owner is not { } owner || scope.Parent is not { } parent)
        {
            scope.Graph.Output.Add(NodeBuilder.Info(output, type, dims));
            return;
        }

        foreach (GraphScope branch in index.Scopes.Where(branch => ReferenceEquals(branch.Owner, owner)))
        {
            string? given = sites.FirstOrDefault(site => ReferenceEquals(site.Scope, branch)).Name;
            branch.Graph.Output.Add(NodeBuilder.Info(given ?? Zeros(branch.Graph, output, type, dims), type, dims));
        }

        string name = NameIn(parent, output);
        owner.Output.Add(name);
        Lift([(parent, name)], output, type, dims);
    }

    private string Zeros(GraphProto graph, string output, DataType type, long[]? dims)
    {
        string shape = names.Fresh($"{output}.shape");
        string zeros = names.Fresh($"{output}.zeros");
        TensorProto zero = new() { DataType = (int)type, RawData = Google.Protobuf.ByteString.CopyFrom(new byte[type == DataType.Int32 ? 4 : 8]) };
        zero.Dims.Add(1);
        graph.Node.Add(NodeBuilder.Integers(shape, dims ?? [0]));
        graph.Node.Add(NodeBuilder.Node("ConstantOfShape", [shape], [zeros], NodeBuilder.Tensor("value", zero)));
        return zeros;
    }
}
