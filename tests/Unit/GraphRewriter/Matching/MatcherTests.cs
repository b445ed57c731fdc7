// SPDX-License-Identifier: MIT
// The matcher: operand orders, one name for one value, the deepest failure.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Matching;

public sealed class MatcherTests
{
    private static readonly Pattern Silu = Pattern.Node("Mul", Pattern.Value("g"), Pattern.Node("Sigmoid", Pattern.Value("g"))).InAnyOrder();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Operands_match_in_any_order(bool turned)
    {
        MlpGraph graph = new();
        string gate = graph.Project();
        string sigmoid = graph.Node("Sigmoid", [gate]);
        MatchResult<Bindings> found = Match(graph, graph.Node("Mul", turned ? [sigmoid, gate] : [gate, sigmoid]));
        Assert.Equal(gate, found.Value!.Value("g").Name);
        Assert.Equal(["Mul", "Sigmoid"], found.Value.Nodes.Select(node => node.OpType));
    }

    [Fact]
    public void One_name_stands_for_one_value()
    {
        MlpGraph graph = new();
        MatchResult<Bindings> found = Match(graph, graph.Node("Mul", [graph.Project(), graph.Node("Sigmoid", [graph.Project()])]));
        Assert.Equal(MatchKind.Miss, found.Kind);
        Assert.Equal(2, found.Depth);
    }

    [Fact]
    public void A_failure_names_the_deepest_node()
    {
        MlpGraph graph = new();
        MatchResult<Bindings> found = Match(graph, graph.Node("Mul", ["x", graph.Node("Tanh", ["x"])]));
        Assert.Equal(1, found.Depth);
        Assert.Contains("is not Sigmoid", found.Reason + GraphText.Operator(found.Node!), StringComparison.Ordinal);
    }

    [Fact]
    public void A_choice_falls_back_to_its_next_form()
    {
        MlpGraph graph = new();
        string value = graph.Node("Relu", ["x"]);
        Pattern either = Pattern.OneOf(Silu, Pattern.Node("Relu", Pattern.Value("g")).As("relu"));
        MatchContext context = Context(graph);
        Assert.Equal("Relu", new Matcher(context).Match(either, context.Index.Main.Find(value)!).Value!.Node("relu").OpType);
    }

    private static MatchContext Context(MlpGraph graph) => new(new GraphIndex(graph.Proto), new ConstantReader(tensor => tensor.RawData.ToByteArray()));

    private static MatchResult<Bindings> Match(MlpGraph graph, string value)
    {
        MatchContext context = Context(graph);
        return new Matcher(context).Match(Silu, context.Index.Main.Find(value)!);
    }
}
