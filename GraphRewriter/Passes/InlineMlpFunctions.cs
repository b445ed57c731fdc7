// SPDX-License-Identifier: MIT
// An MLP in a local function is shared by its callers: inlined, each caller has its own, with its own thresholds.
// Only calls that hold a part of an MLP that can be rewritten are inlined.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Patterns;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Inlines the calls of local functions that hold MLPs.</summary>
internal static class InlineMlpFunctions
{
    private const int MaxSteps = 8;

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
        MatchContext context = new(new GraphIndex(trial.Proto), new ConstantReader(trial.Read));
        IReadOnlyList<MlpFinding> findings = MlpFinder.Find(context);
        HashSet<string> wanted = new(StringComparer.Ordinal);
        foreach (MlpFinding finding in findings.Where(finding => finding.Reason is null))
        {
            wanted.UnionWith(Needed(finding.Match!, context).Select(node => callOf.GetValueOrDefault(node)).OfType<string>());
        }

        if (wanted.Count > 0)
        {
            Inline(model.Proto, wanted.Contains, []);
        }

        return [.. findings.Where(finding => finding.Reason is not null && callOf.TryGetValue(finding.Anchor, out string? call) && !wanted.Contains(call))];
    }

    // The MLP's nodes, and what matching read around them: nodes that make weights, biases, constants and shapes.
    private static HashSet<NodeProto> Needed(GatedMlpMatch match, MatchContext context)
    {
        HashSet<NodeProto> needed = new(match.Nodes, ReferenceEqualityComparer.Instance);
        Stack<NodeProto> open = new(match.Nodes);
        foreach (GraphValue input in new[] { match.GateUp.Gate.Input, match.GateUp.Up.Input })
        {
            // Two projections may flatten one input each for itself.
            GraphValue value = input;
            while (value.Producer is { } node && (LinearForms.IsReshape(node) || node.Is("Identity")) && context.Index.ScopeOf(node).Input(node, 0) is { } before)
            {
                if (needed.Add(node))
                {
                    open.Push(node);
                }

                value = before;
            }
        }

        while (open.TryPop(out NodeProto? node))
        {
            GraphScope scope = context.Index.ScopeOf(node);
            for (int i = 0; i < node.Input.Count; i++)
            {
                if (scope.Input(node, i) is { Producer: { } maker } value && !ReferenceEquals(value, match.Input) && IsArgument(node, i, value) && needed.Add(maker))
                {
                    open.Push(maker);
                }
            }
        }

        return needed;
    }

    // What a Shape reads is data; so is the first input of a reshape, unless it comes from constants.
    private static bool IsArgument(NodeProto node, int input, GraphValue value) =>
        !node.Is("Shape") && ((LinearForms.IsReshape(node) && input > 0) || WeightCone.IsConstant(value) || IsShape(value));

    private static bool IsShape(GraphValue value)
    {
        for (int step = 0; step < MaxSteps && value.Producer is { } node; step++)
        {
            if (node.Is("Shape"))
            {
                return true;
            }

            if (value.Scope.Input(node, 0) is not { } before)
            {
                return false;
            }

            value = before;
        }

        return false;
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
