// SPDX-License-Identifier: MIT
// Value name -> producer, readers, initializer, for the main graph and every graph nested in it.
// A snapshot: after an edit, build another.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Looks up who makes and who reads each value of a model.</summary>
internal sealed class GraphIndex
{
    /// <summary>Graphs nested deeper than this are refused.</summary>
    public const int MaxDepth = 32;

    private readonly List<GraphScope> _scopes = [];
    private readonly Dictionary<NodeProto, (GraphScope Scope, int Position)> _nodes = new(ReferenceEqualityComparer.Instance);

    /// <summary>Indexes a model.</summary>
    /// <param name="model">The model; without a graph it is taken as an empty one.</param>
    /// <exception cref="InvalidDataException">Graphs are nested too deep, or two nodes make one value.</exception>
    public GraphIndex(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Main = Define(model.Graph ?? new GraphProto(), "", null, null);
        foreach (GraphScope scope in _scopes)
        {
            foreach (NodeProto node in scope.Graph.Node)
            {
                for (int i = 0; i < node.Input.Count; i++)
                {
                    scope.Find(node.Input[i])?.AddUse(new ValueUse(node, i, scope));
                }
            }

            foreach (ValueInfoProto output in scope.Graph.Output)
            {
                if (scope.Find(output.Name) is { } value)
                {
                    value.IsOutput = true;
                }
            }
        }
    }

    /// <summary>The main graph.</summary>
    public GraphScope Main { get; }

    /// <summary>Every graph, outer ones first.</summary>
    public IReadOnlyList<GraphScope> Scopes => _scopes;

    /// <summary>The graph that holds a node.</summary>
    /// <param name="node">A node of the model.</param>
    public GraphScope ScopeOf(NodeProto node) => _nodes[node].Scope;

    /// <summary>A node's position in its graph.</summary>
    /// <param name="node">A node of the model.</param>
    public int PositionOf(NodeProto node) => _nodes[node].Position;

    private GraphScope Define(GraphProto graph, string path, GraphScope? parent, NodeProto? owner)
    {
        GraphScope scope = new(graph, path, parent, owner);
        if (scope.Depth > MaxDepth)
        {
            throw new InvalidDataException($"Graphs are nested {scope.Depth} deep at '{path}'; at most {MaxDepth} are read.");
        }

        _scopes.Add(scope);
        DefineValues(scope);
        for (int position = 0; position < graph.Node.Count; position++)
        {
            NodeProto node = graph.Node[position];
            if (!_nodes.TryAdd(node, (scope, position)))
            {
                continue;
            }

            foreach (AttributeProto attribute in node.Attribute)
            {
                IEnumerable<GraphProto> graphs = attribute.G is null ? attribute.Graphs : attribute.Graphs.Prepend(attribute.G);
                int number = 0;
                foreach (GraphProto inner in graphs)
                {
                    string name = number++ == 0 ? attribute.Name : $"{attribute.Name}[{number - 1}]";
                    string place = node.Output.FirstOrDefault(output => output.Length > 0) ?? node.Name;
                    Define(inner, $"{path}{place}/{name}/", scope, node);
                }
            }
        }

        return scope;
    }

    private static void DefineValues(GraphScope scope)
    {
        foreach (ValueInfoProto input in scope.Graph.Input)
        {
            GraphValue value = scope.Define(input.Name);
            value.IsInput = true;
            value.Info = input;
        }

        foreach (TensorProto initializer in scope.Graph.Initializer)
        {
            scope.Define(initializer.Name).Initializer = initializer;
        }

        foreach (SparseTensorProto sparse in scope.Graph.SparseInitializer)
        {
            scope.Define(sparse.Values?.Name ?? "");
        }

        foreach (NodeProto node in scope.Graph.Node)
        {
            for (int i = 0; i < node.Output.Count; i++)
            {
                if (node.Output[i].Length == 0)
                {
                    continue;
                }

                GraphValue value = scope.Define(node.Output[i]);
                if (value.Producer is not null)
                {
                    throw new InvalidDataException($"The value '{value.Name}' is made by two nodes: {GraphText.Line(value.Producer)} and {GraphText.Line(node)}.");
                }

                value.Producer = node;
                value.ProducerOutput = i;
            }
        }

        foreach (ValueInfoProto info in scope.Graph.ValueInfo.Concat(scope.Graph.Output))
        {
            if (scope.Find(info.Name) is { Info: null } value && ReferenceEquals(value.Scope, scope))
            {
                value.Info = info;
            }
        }
    }
}
