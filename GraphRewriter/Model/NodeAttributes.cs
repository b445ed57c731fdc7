// SPDX-License-Identifier: MIT
// Reads a node's attributes with their defaults.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Attribute look-ups.</summary>
internal static class NodeAttributes
{
    /// <summary>The attribute of that name, or null.</summary>
    /// <param name="node">The node.</param>
    /// <param name="name">The attribute's name.</param>
    public static AttributeProto? Attribute(this NodeProto node, string name) =>
        node.Attribute.FirstOrDefault(attribute => attribute.Name == name);

    /// <summary>An integer attribute, or its default.</summary>
    /// <param name="node">The node.</param>
    /// <param name="name">The attribute's name.</param>
    /// <param name="absent">The value where the node has none.</param>
    public static long Int(this NodeProto node, string name, long absent) => node.Attribute(name)?.I ?? absent;

    /// <summary>A float attribute, or its default.</summary>
    /// <param name="node">The node.</param>
    /// <param name="name">The attribute's name.</param>
    /// <param name="absent">The value where the node has none.</param>
    public static float Float(this NodeProto node, string name, float absent) => node.Attribute(name)?.F ?? absent;

    /// <summary>Whether the node is that operator of ONNX's own domain.</summary>
    /// <param name="node">The node.</param>
    /// <param name="opType">The operator.</param>
    public static bool Is(this NodeProto node, string opType) => node.OpType == opType && GraphText.IsDefaultDomain(node.Domain);

    /// <summary>Whether the node is that operator of com.microsoft.</summary>
    /// <param name="node">The node.</param>
    /// <param name="opType">The operator.</param>
    public static bool IsMicrosoft(this NodeProto node, string opType) => node.OpType == opType && node.Domain == "com.microsoft";
}
