// SPDX-License-Identifier: MIT
// What every ONNX model has, whatever it computes: a graph, operator sets for the domains it uses, functions that end.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Checks that need no knowledge of operators.</summary>
internal static class ModelCheck
{
    /// <summary>Requires that the message is a whole model.</summary>
    /// <exception cref="InvalidModelException">Something that every model has is missing, or functions call themselves.</exception>
    public static void RequireSound(ModelProto model, string path)
    {
        if (model.Graph is null)
        {
            throw new InvalidModelException(path, "it holds no graph; it is no ONNX model.");
        }

        if (model.OpsetImport.Count == 0)
        {
            throw new InvalidModelException(path, "it imports no operator set; it is cut short or no ONNX model.");
        }

        HashSet<string> domains = Domains(model.OpsetImport);
        foreach (NodeProto node in Nodes(model.Graph.Node))
        {
            RequireImport(node, domains, "the model", path);
        }

        foreach (FunctionProto function in model.Functions)
        {
            HashSet<string> own = Domains(function.OpsetImport);
            foreach (NodeProto node in Nodes(function.Node))
            {
                RequireImport(node, own, $"function '{function.Name}'", path);
            }
        }

        RequireFunctionsEnd(model, path);
    }

    private static string Normal(string domain) => domain == "ai.onnx" ? string.Empty : domain;

    private static HashSet<string> Domains(IEnumerable<OperatorSetIdProto> imports) => [.. imports.Select(import => Normal(import.Domain))];

    private static void RequireImport(NodeProto node, HashSet<string> domains, string where, string path)
    {
        if (!domains.Contains(Normal(node.Domain)))
        {
            throw new InvalidModelException(path, $"node '{node.Name}' is a {node.OpType} of domain '{node.Domain}', which {where} does not import; the file may be cut short.");
        }
    }

    /// <summary>The nodes and those of every subgraph.</summary>
    private static IEnumerable<NodeProto> Nodes(IEnumerable<NodeProto> nodes)
    {
        Queue<IEnumerable<NodeProto>> left = new([nodes]);
        while (left.TryDequeue(out IEnumerable<NodeProto>? some))
        {
            foreach (NodeProto node in some)
            {
                yield return node;
                foreach (AttributeProto attribute in node.Attribute)
                {
                    if (attribute.G is not null)
                    {
                        left.Enqueue(attribute.G.Node);
                    }

                    foreach (GraphProto graph in attribute.Graphs)
                    {
                        left.Enqueue(graph.Node);
                    }
                }
            }
        }
    }

    private static void RequireFunctionsEnd(ModelProto model, string path)
    {
        ILookup<(string, string), FunctionProto> named = model.Functions.ToLookup(f => (Normal(f.Domain), f.Name));
        Dictionary<FunctionProto, bool> done = new(ReferenceEqualityComparer.Instance);
        foreach (FunctionProto root in model.Functions)
        {
            Stack<(FunctionProto Function, IEnumerator<FunctionProto> Calls)> path_ = new();
            if (!done.TryAdd(root, false))
            {
                continue;
            }

            path_.Push((root, Calls(root)));
            while (path_.TryPeek(out (FunctionProto Function, IEnumerator<FunctionProto> Calls) top))
            {
                if (!top.Calls.MoveNext())
                {
                    done[top.Function] = true;
                    path_.Pop();
                }
                else if (done.TryAdd(top.Calls.Current, false))
                {
                    path_.Push((top.Calls.Current, Calls(top.Calls.Current)));
                }
                else if (!done[top.Calls.Current])
                {
                    throw new InvalidModelException(path, $"function '{top.Calls.Current.Name}' calls itself.");
                }
            }
        }

        IEnumerator<FunctionProto> Calls(FunctionProto function) =>
            Nodes(function.Node).SelectMany(node => named[(Normal(node.Domain), node.OpType)]).GetEnumerator();
    }
}
