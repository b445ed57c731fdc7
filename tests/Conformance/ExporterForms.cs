// SPDX-License-Identifier: MIT
// Forms of a gated MLP that no stored export shows and exporters write, each as a small graph.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Conformance;

internal static class ExporterForms
{
    private const int H = MlpGraph.Hidden;
    private const int I = MlpGraph.Intermediate;

    public static readonly Dictionary<string, Func<MlpGraph, string>> Float = new()
    {
        ["plain"] = g => g.Down(g.Node("Mul", [g.Silu(g.Project()), g.Project()])),
        ["up first, factors turned"] = g => { string up = g.Project(); return g.Down(g.Node("Mul", [up, g.Silu(g.Project())])); },
        ["sigmoid first"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Mul", [g.Node("Sigmoid", [v]), v]), g.Project()])); },
        ["exp"] = g =>
        {
            string v = g.Project();
            string one = g.Floats([], 1f);
            string silu = g.Node("Div", [v, g.Node("Add", [one, g.Node("Exp", [g.Node("Neg", [v])])])]);
            return g.Down(g.Node("Mul", [silu, g.Project()]));
        },
        ["bias added on either side"] = g =>
        {
            string gate = g.Node("Add", [g.Weight(I), g.Project()]);
            string up = g.Node("Add", [g.Project(), g.Weight(1, 1, I)]);
            return g.Node("Add", [g.Weight(H), g.Down(g.Node("Mul", [g.Silu(gate), up]))]);
        },
        ["identity and gate * 1"] = g => g.Down(g.Node("Identity", [g.Node("Mul", [g.Silu(g.Node("Mul", [g.Node("Identity", [g.Project()]), g.Floats([1], 1f)])), g.Project()])])),
        ["transposes"] = g =>
        {
            string gate = g.Node("MatMul", ["x", g.Node("Transpose", [g.Weight(I, H)])]);
            string up = g.Node("MatMul", ["x", g.Node("Transpose", [g.Weight(I, H)], NodeBuilder.Ints("perm", 1, 0))]);
            return g.Node("MatMul", [g.Node("Mul", [g.Silu(gate), up]), g.Node("Transpose", [g.Weight(H, I)], NodeBuilder.Ints("perm", 1, 0))]);
        },
        ["shared transpose"] = g =>
        {
            string weight = g.Node("Transpose", [g.Weight(I, H)]);
            return g.Down(g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", weight])), g.Node("MatMul", ["x", weight])]));
        },
        ["constants as nodes"] = g =>
            g.Node("MatMul", [g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Constant(H, I)])), g.Node("MatMul", ["x", g.Constant(H, I)])]), g.Constant(I, H)]),
        ["constants as nodes behind Transpose"] = g =>
            g.Node("MatMul", [g.Node("Mul", [g.Silu(g.Node("MatMul", ["x", g.Node("Transpose", [g.Constant(I, H)])])), g.Project()]), g.Constant(I, H)]),
        ["casts around sigmoid"] = g =>
        {
            string v = g.Project();
            string sigmoid = g.Node("Cast", [g.Node("Sigmoid", [g.Node("Cast", [v], NodeBuilder.Int("to", 1))])], NodeBuilder.Int("to", 1));
            return g.Down(g.Node("Mul", [g.Node("Mul", [v, sigmoid]), g.Project()]));
        },
        ["split, up first"] = g =>
        {
            string[] halves = g.Nodes("Split", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(I, I)], 2, NodeBuilder.Int("axis", -1));
            return g.Down(g.Node("Mul", [halves[0], g.Silu(halves[1])]));
        },
        ["split in two without sizes"] = g =>
        {
            AttributeProto[] number = g.Proto.OpsetImport[0].Version >= 18 ? [NodeBuilder.Int("num_outputs", 2)] : [];
            string[] halves = g.Nodes("Split", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)])], 2, [NodeBuilder.Int("axis", -1), .. number]);
            return g.Down(g.Node("Mul", [g.Silu(halves[0]), halves[1]]));
        },
        ["packed with bias, slices"] = g =>
        {
            string packed = g.Node("Add", [g.Node("MatMul", ["x", g.Node("Transpose", [g.Weight(2 * I, H)])]), g.Weight(2 * I)]);
            string gate = g.Node("Slice", [packed, g.Integers(0), g.Integers(I), g.Integers(-1), g.Integers(1)]);
            string up = g.Node("Slice", [packed, g.Integers(I), g.Integers(long.MaxValue), g.Integers(2)]);
            return g.Down(g.Node("Mul", [g.Silu(gate), up]));
        },
        ["interleaved, gate odd"] = g =>
        {
            string packed = g.Node("MatMul", ["x", g.Weight(H, 2 * I)]);
            string up = g.Node("Slice", [packed, g.Integers(0), g.Integers(long.MaxValue), g.Integers(-1), g.Integers(2)]);
            string gate = g.Node("Slice", [packed, g.Integers(1), g.Integers(long.MaxValue), g.Integers(-1), g.Integers(2)]);
            return g.Down(g.Node("Mul", [g.Silu(gate), up]));
        },
        ["QuickGelu with alpha 1"] = g => g.Down(g.Node("Mul", [g.Node("ms.QuickGelu", [g.Project()], MlpGraph.Float("alpha", 1f)), g.Project()])),
        ["FusedMatMul"] = g => g.Down(g.Node("Mul", [g.Silu(g.Node("ms.FusedMatMul", ["x", g.Weight(I, H)], NodeBuilder.Int("transB", 1))), g.Project()])),
        ["Gemm between reshapes"] = g =>
        {
            string Linear(string value, long from, long to, bool transposed)
            {
                string rows = g.Node("Reshape", [value, g.Integers(-1, from)]);
                string product = transposed
                    ? g.Node("Gemm", [rows, g.Weight(to, from), g.Weight(to)], NodeBuilder.Int("transB", 1))
                    : g.Node("Gemm", [rows, g.Weight(from, to)]);
                return g.Node("Reshape", [product, g.Integers(2, 3, to)]);
            }

            return Linear(g.Node("Mul", [g.Silu(Linear("x", H, I, true)), Linear("x", H, I, false)]), I, H, true);
        },
        ["gate * (sigmoid(gate) * up)"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [v, g.Node("Mul", [g.Node("Sigmoid", [v]), g.Project()])])); },
        ["(gate * up) * sigmoid(gate)"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Mul", [v, g.Project()]), g.Node("Sigmoid", [v])])); },
        ["sigmoid(gate) * (up * gate)"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Sigmoid", [v]), g.Node("Mul", [g.Project(), v])])); },
        ["(gate * up) / (1 + exp(-gate))"] = g => { string v = g.Project(); return g.Down(g.Node("Div", [g.Node("Mul", [v, g.Project()]), Denominator(g, v)])); },
        ["gate * (up / (1 + exp(-gate)))"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [v, g.Node("Div", [g.Project(), Denominator(g, v)])])); },
        ["regrouped and packed"] = g =>
        {
            string[] halves = g.Nodes("Split", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(I, I)], 2, NodeBuilder.Int("axis", -1));
            return g.Down(g.Node("Mul", [halves[0], g.Node("Mul", [g.Node("Identity", [g.Node("Sigmoid", [halves[0]])]), halves[1]])]));
        },
        ["gate * (1 / (1 + exp(-gate)))"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Mul", [v, g.Node("Div", [g.Floats([], 1f), Denominator(g, v)])]), g.Project()])); },
        ["reciprocal"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Project(), g.Node("Mul", [g.Node("Reciprocal", [Denominator(g, v)]), v])])); },
        ["exp of gate * -1"] = g =>
        {
            string v = g.Project();
            string exp = g.Node("Exp", [g.Node("Mul", [g.Floats([], -1f), v])]);
            return g.Down(g.Node("Mul", [g.Node("Div", [v, g.Node("Add", [exp, g.Floats([1], 1f)])]), g.Project()]));
        },
        ["sigmoid of 1.0 * gate"] = g => { string v = g.Project(); return g.Down(g.Node("Mul", [g.Node("Mul", [v, g.Node("Sigmoid", [g.Node("Mul", [g.Floats([], 1f), v])])]), g.Project()])); },
        ["weights behind Identity, Transpose, Reshape and Cast to their own type"] = g =>
        {
            string gate = g.Node("MatMul", ["x", g.Node("Identity", [g.Node("Transpose", [g.Node("Identity", [g.Weight(I, H)])], NodeBuilder.Ints("perm", 1, 0))])]);
            string up = g.Node("MatMul", ["x", g.Node("Cast", [g.Node("Reshape", [g.Weight(H, I), g.Integers(H, -1)])], NodeBuilder.Int("to", 1))]);
            string down = g.Node("Reshape", [g.Constant(1, I, 1, H), g.Integers(I, H)]);
            return g.Node("MatMul", [g.Node("Mul", [g.Silu(gate), up]), down]);
        },
        ["weights with a dimension of 1 before"] = g =>
        {
            string gate = g.Node("MatMul", ["x", g.Weight(1, H, I)]);
            string up = g.Node("MatMul", ["x", g.Node("Transpose", [g.Weight(1, I, H)], NodeBuilder.Ints("perm", 0, 2, 1))]);
            return g.Node("MatMul", [g.Node("Mul", [g.Silu(gate), up]), g.Node("Unsqueeze", [g.Weight(I, H), g.Integers(0)])]);
        },
        ["MatMul and Gemm on rows"] = g =>
        {
            string rows = g.Node("Reshape", ["x", g.Integers(-1, H)]);
            string gate = g.Node("MatMul", [rows, g.Weight(H, I)]);
            string up = g.Node("Gemm", [rows, g.Weight(I, H), g.Weight(I)], NodeBuilder.Int("transB", 1));
            return g.Node("Reshape", [g.Node("MatMul", [g.Node("Mul", [g.Silu(gate), up]), g.Weight(I, H)]), g.Integers(2, 3, H)]);
        },
        ["MatMul on rows, each projection between its own reshapes"] = g =>
        {
            string Linear(string value, long from, long to) =>
                g.Node("Reshape", [g.Node("MatMul", [g.Node("Reshape", [value, g.Integers(6, from)]), g.Weight(from, to)]), g.Integers(2, 3, to)]);
            return Linear(g.Node("Mul", [g.Silu(Linear("x", H, I)), Linear("x", H, I)]), I, H);
        },
        ["flattened once, three Gemms, unsqueezed"] = g =>
        {
            string rows = g.Node("Flatten", ["x"], NodeBuilder.Int("axis", 2));
            string gate = g.Node("Gemm", [rows, g.Weight(H, I)]);
            string up = g.Node("Gemm", [rows, g.Weight(H, I)]);
            return g.Node("Unsqueeze", [g.Node("Gemm", [g.Node("Mul", [g.Silu(gate), up]), g.Weight(I, H)]), g.Integers(0)]);
        },
        ["unsqueezed and squeezed around"] = g =>
        {
            string x = g.Node("Unsqueeze", ["x", g.Integers(1)]);
            string product = g.Node("Mul", [g.Silu(g.Node("MatMul", [x, g.Weight(H, I)])), g.Node("MatMul", [x, g.Weight(H, I)])]);
            return g.Node("Squeeze", [g.Node("MatMul", [product, g.Weight(I, H)]), g.Integers(1)]);
        },
        ["dropout at inference"] = g =>
        {
            string product = g.Node("Dropout", [g.Node("Mul", [g.Silu(g.Node("Dropout", [g.Project(), g.Floats([], 0.1f)])), g.Project()])]);
            return g.Down(product);
        },
        ["chunk of a length computed from the shape"] = g =>
        {
            // torch.onnx.export without dynamo writes chunk(2, dim=-1) so.
            string packed = g.Node("MatMul", ["x", g.Weight(H, 2 * I)]);
            string length = g.Node("Gather", [g.Node("Shape", [packed]), g.Integers(-1)], NodeBuilder.Int("axis", 0));
            string half = g.Node("Div", [g.Node("Add", [length, g.Integers(1)]), g.Integers(2)]);
            string middle = g.Node("Mul", [half, g.Integers(1)]);
            string gate = g.Node("Slice", [packed, g.Integers(0), middle, g.Integers(-1)]);
            string up = g.Node("Slice", [packed, middle, g.Node("Mul", [half, g.Integers(2)]), g.Integers(-1)]);
            return g.Down(g.Node("Mul", [up, g.Silu(gate)]));
        },
        ["Einsum"] = g =>
        {
            string gate = g.Node("Einsum", ["x", g.Weight(H, I)], MlpGraph.Text("equation", "bsh,hi->bsi"));
            string up = g.Node("Einsum", ["x", g.Weight(I, H)], MlpGraph.Text("equation", "...h, ih -> ...i"));
            return g.Node("Einsum", [g.Node("Mul", [g.Silu(gate), up]), g.Weight(I, H)], MlpGraph.Text("equation", "abc,cd->abd"));
        },
        ["sigmoid by Tanh"] = g =>
        {
            string v = g.Project();
            string tanh = g.Node("Tanh", [g.Node("Mul", [v, g.Floats([], 0.5f)])]);
            string sigmoid = g.Node("Add", [g.Node("Mul", [tanh, g.Floats([], 0.5f)]), g.Floats([], 0.5f)]);
            return g.Down(g.Node("Mul", [g.Node("Mul", [v, sigmoid]), g.Project()]));
        },
        ["two equal casts of x"] = g =>
        {
            string gate = g.Node("MatMul", [g.Node("Cast", ["x"], NodeBuilder.Int("to", 1)), g.Weight(H, I)]);
            string up = g.Node("MatMul", [g.Node("Cast", ["x"], NodeBuilder.Int("to", 1)), g.Weight(H, I)]);
            return g.Down(g.Node("Mul", [g.Silu(gate), up]));
        },
        ["packed, view [2, intermediate] and unbind"] = g =>
        {
            string cut = g.Node("Reshape", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(2, 3, 2, I)]);
            string gate = g.Node("Gather", [cut, g.Scalar(0)], NodeBuilder.Int("axis", -2));
            return g.Down(g.Node("Mul", [g.Silu(gate), g.Node("Gather", [cut, g.Scalar(1)], NodeBuilder.Int("axis", 2))]));
        },
        ["packed, view [intermediate, 2] and Split"] = g =>
        {
            string cut = g.Node("Reshape", [g.Node("MatMul", ["x", g.Weight(H, 2 * I)]), g.Integers(2, 3, I, 2)]);
            string[] parts = g.Nodes("Split", [cut, g.Integers(1, 1)], 2, NodeBuilder.Int("axis", 3));
            string gate = g.Node("Squeeze", [parts[1], g.Integers(-1)]);
            return g.Down(g.Node("Mul", [g.Silu(gate), g.Node("Squeeze", [parts[0], g.Integers(3)])]));
        },
        ["casts around the product"] = g =>
        {
            string gate = g.Node("Cast", [g.Project()], NodeBuilder.Int("to", 1));
            return g.Down(g.Node("Cast", [g.Node("Mul", [g.Silu(gate), g.Project()])], NodeBuilder.Int("to", 1)));
        },
    };

    // float16 models with islands of float: the operator rounds a and y where these graphs do, and h once less.
    public static readonly Dictionary<string, Func<MlpGraph, string>> Half = new()
    {
        ["all float16"] = g => HalfMlp(g, (gate, up) => g.Node("Mul", [g.Silu(gate), up])),
        ["sigmoid in float"] = g => HalfMlp(g, (gate, up) => g.Node("Mul", [g.Node("Mul", [gate, ToHalf(g, g.Node("Sigmoid", [ToFloat(g, gate)]))]), up])),
        ["SiLU in float"] = g => HalfMlp(g, (gate, up) => g.Node("Mul", [ToHalf(g, g.Silu(ToFloat(g, gate))), up])),
        ["SiLU and product in float"] = g => HalfMlp(g, (gate, up) => ToHalf(g, g.Node("Mul", [g.Silu(ToFloat(g, gate)), ToFloat(g, up)]))),
        ["packed, SiLU in float"] = g =>
        {
            string[] halves = g.Nodes("Split", [g.Node("MatMul", [ToHalf(g, "x"), g.HalfWeight(H, 2 * I)]), g.Integers(I, I)], 2, NodeBuilder.Int("axis", -1));
            return ToFloat(g, g.Node("MatMul", [g.Node("Mul", [ToHalf(g, g.Silu(ToFloat(g, halves[0]))), halves[1]]), g.HalfWeight(I, H)]));
        },
    };

    private static string ToHalf(MlpGraph g, string value) => g.Node("Cast", [value], NodeBuilder.Int("to", 10));

    private static string ToFloat(MlpGraph g, string value) => g.Node("Cast", [value], NodeBuilder.Int("to", 1));

    // x is cast for each projection, as the float16 converters do.
    private static string HalfMlp(MlpGraph g, Func<string, string, string> product)
    {
        string gate = g.Node("MatMul", [ToHalf(g, "x"), g.HalfWeight(H, I)]);
        string up = g.Node("MatMul", [ToHalf(g, "x"), g.HalfWeight(H, I)]);
        return ToFloat(g, g.Node("MatMul", [product(gate, up), g.HalfWeight(I, H)]));
    }

    private static string Denominator(MlpGraph g, string value) => g.Node("Add", [g.Node("Exp", [g.Node("Neg", [value])]), g.Floats([], 1f)]);
}
