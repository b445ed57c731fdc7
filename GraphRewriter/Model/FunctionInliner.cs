// SPDX-License-Identifier: MIT
// Replaces a call of a model-local function by the function's nodes, with names of their own.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Inlines local functions.</summary>
internal sealed class FunctionInliner
{
    private const int MaxNodes = 1_000_000;

    private readonly Dictionary<(string Domain, string Name, string Overload), FunctionProto> _functions = [];
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private readonly long _opset;
    private int _made;

    /// <summary>Collects the functions of a model that can be inlined.</summary>
    /// <param name="model">The model.</param>
    public FunctionInliner(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Dictionary<string, long> imports = model.OpsetImport
            .GroupBy(import => Domain(import.Domain))
            .ToDictionary(group => group.Key, group => group.First().Version, StringComparer.Ordinal);
        _opset = imports.GetValueOrDefault("");
        foreach (FunctionProto function in model.Functions)
        {
            // A definition that comes with a runtime's own operator stays a call: the runtime has a kernel for it.
            bool operatorOfRuntime = function.Domain is "" or "ai.onnx" or "ai.onnx.ml" or "com.microsoft" or OpSchemas.Domain;
            bool sameOperators = function.OpsetImport.All(import => imports.GetValueOrDefault(Domain(import.Domain), import.Version) == import.Version);
            if (!operatorOfRuntime && sameOperators)
            {
                _functions.TryAdd((function.Domain, function.Name, function.Overload), function);
            }
        }

        foreach (GraphScope scope in new GraphIndex(model).Scopes)
        {
            _taken.UnionWith(scope.Values.Select(value => value.Name));
        }
    }

    /// <summary>Whether no function can be inlined.</summary>
    public bool IsEmpty => _functions.Count == 0;

    /// <summary>Whether a node calls a function that can be inlined.</summary>
    /// <param name="node">The node.</param>
    public bool IsCall(NodeProto node) => _functions.ContainsKey((node.Domain, node.OpType, node.Overload));

    /// <summary>The nodes of a call, calls inside it inlined too.</summary>
    /// <param name="call">The call.</param>
    /// <param name="imports">Gets the operator sets that the nodes need.</param>
    /// <exception cref="InvalidDataException">Functions call each other in a circle or grow without bound.</exception>
    public List<NodeProto> Inline(NodeProto call, IList<OperatorSetIdProto> imports)
    {
        List<NodeProto> nodes = [];
        Inline(call, nodes, imports, 0);
        return nodes;
    }

    private static string Domain(string domain) => GraphText.IsDefaultDomain(domain) ? "" : domain;

    private void Inline(NodeProto call, List<NodeProto> nodes, IList<OperatorSetIdProto> imports, int depth)
    {
        if (depth > GraphIndex.MaxDepth || _made > MaxNodes)
        {
            throw new InvalidDataException($"The function {GraphText.Operator(call)} calls functions {depth} deep; it may call itself.");
        }

        FunctionProto function = _functions[(call.Domain, call.OpType, call.Overload)];
        foreach (OperatorSetIdProto import in function.OpsetImport.Where(import => imports.All(known => Domain(known.Domain) != Domain(import.Domain))))
        {
            imports.Add(import.Clone());
        }

        string prefix = call.Name.Length > 0 ? call.Name : call.Output.FirstOrDefault(name => name.Length > 0) ?? function.Name;
        Dictionary<string, string> names = new(StringComparer.Ordinal) { [""] = "" };
        for (int i = 0; i < function.Input.Count; i++)
        {
            names[function.Input[i]] = i < call.Input.Count ? call.Input[i] : "";
        }

        HashSet<string> made = new(function.Node.SelectMany(node => node.Output), StringComparer.Ordinal);
        List<NodeProto> copies = [];
        for (int i = 0; i < function.Output.Count && i < call.Output.Count; i++)
        {
            if (call.Output[i].Length > 0 && made.Contains(function.Output[i]) && names.TryAdd(function.Output[i], call.Output[i]))
            {
                continue;
            }

            if (call.Output[i].Length > 0)
            {
                copies.Add(NodeBuilder.Node("Identity", [function.Output[i]], [call.Output[i]]));
            }
        }

        foreach (NodeProto node in function.Node)
        {
            NodeProto copy = node.Clone();
            copy.Name = node.Name.Length > 0 ? $"{prefix}/{node.Name}" : "";
            Bind(copy, names, call, function, prefix);
            Emit(copy, nodes, imports, depth);
        }

        foreach (NodeProto copy in copies)
        {
            copy.Input[0] = names.GetValueOrDefault(copy.Input[0], copy.Input[0]);
            nodes.Add(copy);
        }
    }

    private void Emit(NodeProto node, List<NodeProto> nodes, IList<OperatorSetIdProto> imports, int depth)
    {
        if (IsCall(node))
        {
            Inline(node, nodes, imports, depth + 1);
        }
        else
        {
            _made++;
            nodes.Add(node);
        }
    }

    // Names become the caller's or new ones; references to attributes of the function become what the call gives.
    private void Bind(NodeProto node, Dictionary<string, string> names, NodeProto call, FunctionProto function, string prefix)
    {
        for (int i = 0; i < node.Input.Count; i++)
        {
            node.Input[i] = names.GetValueOrDefault(node.Input[i], node.Input[i]);
        }

        List<AttributeProto> attributes = [];
        foreach (AttributeProto attribute in node.Attribute)
        {
            if (attribute.RefAttrName.Length > 0)
            {
                AttributeProto? given = call.Attribute(attribute.RefAttrName) ?? function.AttributeProto.FirstOrDefault(known => known.Name == attribute.RefAttrName);
                if (given is not null)
                {
                    AttributeProto bound = given.Clone();
                    bound.Name = attribute.Name;
                    attributes.Add(bound);
                }

                continue;
            }

            foreach (GraphProto graph in attribute.G is null ? attribute.Graphs : attribute.Graphs.Prepend(attribute.G))
            {
                BindGraph(graph, names, call, function, prefix);
            }

            attributes.Add(attribute);
        }

        node.Attribute.Clear();
        node.Attribute.AddRange(attributes);
        for (int i = 0; i < node.Output.Count; i++)
        {
            if (!names.TryGetValue(node.Output[i], out string? name))
            {
                name = Fresh($"{prefix}/{node.Output[i]}");
                names.Add(node.Output[i], name);
            }

            node.Output[i] = name;
        }
    }

    // A nested graph keeps the names it defines; only what it captures is renamed.
    private void BindGraph(GraphProto graph, Dictionary<string, string> names, NodeProto call, FunctionProto function, string prefix)
    {
        Dictionary<string, string> inner = new(names, StringComparer.Ordinal);
        foreach (string own in graph.Input.Select(input => input.Name).Concat(graph.Initializer.Select(tensor => tensor.Name)).Concat(graph.Node.SelectMany(node => node.Output)))
        {
            inner[own] = own;
        }

        foreach (NodeProto node in graph.Node)
        {
            Bind(node, inner, call, function, prefix);
        }

        foreach (ValueInfoProto output in graph.Output)
        {
            output.Name = inner.GetValueOrDefault(output.Name, output.Name);
        }
    }

    private string Fresh(string wanted)
    {
        string name = wanted;
        for (int number = 1; !_taken.Add(name); number++)
        {
            name = $"{wanted}.{number}";
        }

        return name;
    }
}
