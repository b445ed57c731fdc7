// SPDX-License-Identifier: MIT
// An MLP in a local function is shared by its callers: inlined, each caller has its own, with its own thresholds.
// Only calls that hold a part of an MLP that can be rewritten are inlined.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Inlines the calls of local functions that hold MLPs.</summary>
internal static class InlineMlpFunctions
{
    /// <summary>Inlines in place.</summary>
    /// <param name="model">The model; its graph is edited.</param>
    /// <returns>Refused MLPs of functions whose calls stay; their nodes are in no graph of the model.</returns>
    public static IReadOnlyList<MlpFinding> Run(OnnxModel model)
    {
        if (new FunctionInliner(model.Proto).IsEmpty)
        {
            return [];
        }

        OnnxModel trial = model.Clone();
        Dictionary<NodeProto, string> callOf = new(ReferenceEqualityComparer.Instance);
        Inline(trial.Proto, _ => true, callOf);
        IReadOnlyList<MlpFinding> findings = MlpFinder.Find(new MatchContext(new GraphIndex(trial.Proto), new ConstantReader(trial.Read)));
        HashSet<string> wanted = new(StringComparer.Ordinal);
        foreach (MlpFinding finding in findings.Where(finding => finding.Reason is null))
        {
            wanted.UnionWith(finding.Match!.Nodes.Select(node => callOf.GetValueOrDefault(node)).OfType<string>());
        }

        if (wanted.Count > 0)
        {
            Inline(model.Proto, wanted.Contains, []);
        }

        return [.. findings.Where(finding => finding.Reason is not null && callOf.TryGetValue(finding.Anchor, out string? call) && !wanted.Contains(call))];
    }

    private static void Inline(ModelProto model, Func<string, bool> chosen, Dictionary<NodeProto, string> callOf)
    {
        FunctionInliner inliner = new(model);
        foreach (GraphScope scope in new GraphIndex(model).Scopes)
        {
            List<NodeProto> nodes = [];
            foreach (NodeProto node in scope.Graph.Node)
            {
                string call = $"{scope.Path}{UndoWriter.FirstOutput(node)}";
                if (!inliner.IsCall(node) || !chosen(call))
                {
                    nodes.Add(node);
                    continue;
                }

                foreach (NodeProto inlined in inliner.Inline(node, model.OpsetImport))
                {
                    callOf[inlined] = call;
                    nodes.Add(inlined);
                }
            }

            if (nodes.Count != scope.Graph.Node.Count || !nodes.SequenceEqual(scope.Graph.Node, ReferenceEqualityComparer.Instance))
            {
                scope.Graph.Node.Clear();
                scope.Graph.Node.AddRange(nodes);
            }
        }
    }
}
