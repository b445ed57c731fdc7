// SPDX-License-Identifier: MIT
// One line per node: for golden files and error messages.
using System.Globalization;
using System.Text;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Writes nodes and graphs as text.</summary>
internal static class GraphText
{
    /// <summary>The operator with its domain: "Gemm", "com.microsoft.SwiGLU".</summary>
    /// <param name="node">The node.</param>
    public static string Operator(NodeProto node) =>
        IsDefaultDomain(node.Domain) ? node.OpType : $"{node.Domain}.{node.OpType}";

    /// <summary>Whether a domain is ONNX's own.</summary>
    /// <param name="domain">The domain.</param>
    public static bool IsDefaultDomain(string domain) => domain is "" or "ai.onnx";

    /// <summary>How a person finds the node: its name, else its operator and first output.</summary>
    /// <param name="node">The node.</param>
    public static string Place(NodeProto node) =>
        node.Name.Length > 0 ? node.Name : $"{Operator(node)} -> {node.Output.FirstOrDefault(output => output.Length > 0) ?? "nothing"}";

    /// <summary>outputs = Operator{attributes}(inputs).</summary>
    /// <param name="node">The node.</param>
    public static string Line(NodeProto node)
    {
        StringBuilder text = new();
        text.Append(string.Join(", ", node.Output.Select(Shown))).Append(" = ").Append(Operator(node));
        if (node.Attribute.Count > 0)
        {
            IEnumerable<string> attributes = node.Attribute
                .OrderBy(attribute => attribute.Name, StringComparer.Ordinal)
                .Select(attribute => $"{attribute.Name}={Value(attribute)}");
            text.Append('{').AppendJoin(", ", attributes).Append('}');
        }

        return text.Append('(').AppendJoin(", ", node.Input.Select(Shown)).Append(')').ToString();
    }

    /// <summary>Every node of a graph, one a line, in the order of the file.</summary>
    /// <param name="nodes">The nodes.</param>
    public static string Lines(IEnumerable<NodeProto> nodes) => string.Concat(nodes.Select(node => Line(node) + "\n"));

    private static string Shown(string name) => name.Length == 0 ? "-" : name;

    private static string Value(AttributeProto attribute) => attribute switch
    {
        { RefAttrName.Length: > 0 } => $"@{attribute.RefAttrName}",
        { Type: AttributeProto.Types.AttributeType.Float } => attribute.F.ToString("R", CultureInfo.InvariantCulture),
        { Type: AttributeProto.Types.AttributeType.Int } => attribute.I.ToString(CultureInfo.InvariantCulture),
        { Type: AttributeProto.Types.AttributeType.String } => $"\"{attribute.S.ToStringUtf8()}\"",
        { Type: AttributeProto.Types.AttributeType.Ints } => $"[{string.Join(", ", attribute.Ints)}]",
        { Type: AttributeProto.Types.AttributeType.Floats } => $"[{string.Join(", ", attribute.Floats.Select(f => f.ToString("R", CultureInfo.InvariantCulture)))}]",
        { Type: AttributeProto.Types.AttributeType.Tensor } => $"tensor[{string.Join(",", attribute.T?.Dims.AsEnumerable() ?? [])}]",
        { Type: AttributeProto.Types.AttributeType.Graph } => $"graph of {attribute.G?.Node.Count ?? 0} nodes",
        _ => attribute.Type.ToString(),
    };
}
