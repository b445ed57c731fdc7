// SPDX-License-Identifier: MIT
// Finds or makes the value between SiLU and the product, so that a node can be put there.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns.GatedProduct;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>The activated gate of an MLP, with up beside it.</summary>
/// <param name="Before">Nodes that make them, where one operator did all.</param>
/// <param name="Activated">silu(gate): T [..., I].</param>
/// <param name="Up">up: T [..., I].</param>
/// <param name="Product">Makes the node that multiplies a value in the place of <paramref name="Activated"/> by up.</param>
internal sealed record ActivatedGate(IReadOnlyList<NodeProto> Before, string Activated, string Up, Func<string, NodeProto> Product)
{
    /// <summary>Finds the value, or takes one operator apart into Split, Sigmoid and Mul.</summary>
    /// <param name="site">The MLP.</param>
    /// <param name="names">New names.</param>
    public static ActivatedGate Of(MlpSite site, NameSource names)
    {
        GatedProductMatch product = site.Match.Product;
        if (product.Activated is { } activated)
        {
            return new ActivatedGate([], activated.Name, product.Up!.Name, name =>
            {
                NodeProto node = product.ProductNode.Clone();
                node.Input[product.ActivatedInput] = name;
                return node;
            });
        }

        List<NodeProto> before = [];
        string stem = product.Product.Name;
        string gate = product.Gate.Name;
        string up = product.Up?.Name ?? names.Fresh($"{stem}.up");
        if (product.Up is null)
        {
            string sizes = names.Fresh($"{stem}.sizes");
            string packed = gate;
            gate = names.Fresh($"{stem}.gate");
            before.Add(NodeBuilder.Integers(sizes, site.Match.IntermediateSize, site.Match.IntermediateSize));
            before.Add(NodeBuilder.Node("Split", [packed, sizes], [gate, up], NodeBuilder.Int("axis", -1)));
        }

        string sigmoid = names.Fresh($"{stem}.sigmoid");
        string silu = names.Fresh($"{stem}.silu");
        before.Add(NodeBuilder.Node("Sigmoid", [gate], [sigmoid]));
        before.Add(NodeBuilder.Node("Mul", [gate, sigmoid], [silu]));
        return new ActivatedGate(before, silu, up, name =>
        {
            NodeProto node = NodeBuilder.Node("Mul", [name, up], [product.Product.Name]);
            node.Name = product.ProductNode.Name;
            return node;
        });
    }
}
