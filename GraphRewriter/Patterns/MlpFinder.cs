// SPDX-License-Identifier: MIT
// Every MLP of a model: those that can be fused, and those a person would call an MLP and that cannot, with the reason.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Patterns;

/// <summary>An MLP that was found.</summary>
/// <param name="Match">The MLP; null where only its activation and the projections around it were recognised.</param>
/// <param name="Reason">Why it cannot be fused; null where it can.</param>
/// <param name="Node">The node that decided: the product where it can be fused.</param>
/// <param name="Anchor">The product, or the activation where there is none: gives the order.</param>
internal sealed record MlpFinding(GatedMlpMatch? Match, string? Reason, NodeProto Node, NodeProto Anchor);

/// <summary>Finds MLPs.</summary>
internal static class MlpFinder
{
    /// <summary>Every MLP, in the order of the graphs and of their nodes.</summary>
    /// <param name="context">The model.</param>
    public static IReadOnlyList<MlpFinding> Find(MatchContext context)
    {
        List<MlpFinding> findings = [];
        HashSet<NodeProto> taken = new(ReferenceEqualityComparer.Instance);
        Dictionary<NodeProto, MatchResult<GatedMlpMatch>> failed = new(ReferenceEqualityComparer.Instance);
        foreach (NodeProto node in context.Index.Scopes.SelectMany(scope => scope.Graph.Node))
        {
            if (node.Output.Count == 0 || (!node.Is("Mul") && !node.Is("Div") && node.OpType != "SwiGLU"))
            {
                continue;
            }

            MatchResult<GatedMlpMatch> result = GatedMlp.Match(node, context);
            if (result.Value is { } match && (result.IsMatch || match.Nodes.Any(taken.Contains) || result.Reason.Length > 0))
            {
                bool overlaps = match.Nodes.Any(taken.Contains);
                taken.UnionWith(match.Nodes);
                findings.Add(result.IsMatch && !overlaps
                    ? new MlpFinding(match, null, node, node)
                    : new MlpFinding(match, overlaps ? "its nodes belong to another MLP too" : result.Reason, result.Node ?? node, node));
            }
            else
            {
                failed.Add(node, result);
            }
        }

        findings.AddRange(ActivationScan.Find(context, taken, failed));
        return [.. findings.OrderBy(finding => Order(finding, context))];
    }

    private static (int Scope, int Position) Order(MlpFinding finding, MatchContext context)
    {
        GraphScope scope = context.Index.ScopeOf(finding.Anchor);
        int number = 0;
        while (!ReferenceEquals(context.Index.Scopes[number], scope))
        {
            number++;
        }

        return (number, context.Index.PositionOf(finding.Anchor));
    }
}
