// SPDX-License-Identifier: MIT
// One way of writing silu(gate) * up.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns.GatedProduct;

/// <summary>silu(gate) * up.</summary>
/// <param name="Form">The form's name.</param>
/// <param name="Gate">Before the activation; with <paramref name="Up"/> null, both halves on the last axis, gate first.</param>
/// <param name="Up">The other factor; null where it is the second half of <paramref name="Gate"/>.</param>
/// <param name="Product">The result.</param>
/// <param name="ProductNode">The node that multiplies by up.</param>
/// <param name="Activated">silu(gate) as a value of the graph; null where one operator does all.</param>
/// <param name="ActivatedInput">Which input of <paramref name="ProductNode"/> reads <paramref name="Activated"/>, or -1.</param>
/// <param name="Nodes">The nodes that compute it.</param>
internal sealed record GatedProductMatch(
    string Form, GraphValue Gate, GraphValue? Up, GraphValue Product, NodeProto ProductNode, GraphValue? Activated, int ActivatedInput,
    IReadOnlyList<NodeProto> Nodes);

/// <summary>Recognises one form of the gated product.</summary>
internal interface IGatedProductForm
{
    /// <summary>The form's name in reports.</summary>
    string Name { get; }

    /// <summary>Every reading of a node as a gated product, best first; a refusal or a miss where there is none.</summary>
    /// <param name="node">The node.</param>
    /// <param name="context">Its graph.</param>
    IEnumerable<MatchResult<GatedProductMatch>> Match(NodeProto node, MatchContext context);
}
