// SPDX-License-Identifier: MIT
// Removes what nothing reads any more after a replacement: transposes of weights, cut bounds, the weights' old layout.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>Follows removed nodes upwards; nodes that were dead before stay.</summary>
internal sealed class RemoveDeadNodes : IRewritePass
{
    private const long SmallTensor = 64 * 1024;

    /// <inheritdoc/>
    public string Requires => "an applied editor";

    /// <inheritdoc/>
    public string Ensures => "no node or initializer that only removed nodes read";

    /// <inheritdoc/>
    public void Run(PassContext context)
    {
        GraphIndex after = new(context.Model.Proto);
        HashSet<TensorProto> moved = new(context.Moves.All.Select(move => move.Source), ReferenceEqualityComparer.Instance);
        HashSet<NodeProto> dead = new(ReferenceEqualityComparer.Instance);
        HashSet<TensorProto> dropped = new(ReferenceEqualityComparer.Instance);
        Dictionary<GraphScope, HashSet<string>> lostInputs = [];
        Stack<(string Name, GraphScope Scope)> open = new(context.Editor.Removed.SelectMany(
            node => node.Input.Select(name => (name, ScopeIn(after, context.Index.ScopeOf(node))))));
        while (open.TryPop(out (string Name, GraphScope Scope) at))
        {
            if (at.Scope.Find(at.Name) is not { IsOutput: false } value || value.Uses.Any(use => !dead.Contains(use.Node)))
            {
                continue;
            }

            if (value.Producer is { } node)
            {
                bool unread = node.Output.All(name => name.Length == 0 || value.Scope.Find(name) is { IsOutput: false } output && output.Uses.All(use => dead.Contains(use.Node)));
                if (unread && dead.Add(node))
                {
                    foreach (string input in node.Input)
                    {
                        open.Push((input, value.Scope));
                    }
                }
            }
            else if (value.Initializer is { } tensor && (moved.Contains(tensor) || context.Model.ByteLength(tensor) <= SmallTensor) && dropped.Add(tensor) && value.IsInput)
            {
                lostInputs.TryAdd(value.Scope, []);
                lostInputs[value.Scope].Add(value.Name);
                context.Notes.Add($"'{value.Name}' was a graph input with a default; its layout changed, so it is an input no more.");
            }
        }

        foreach (GraphScope scope in after.Scopes)
        {
            Keep(scope.Graph.Node, node => !dead.Contains(node));
            Keep(scope.Graph.Initializer, tensor => !dropped.Contains(tensor));
            if (lostInputs.TryGetValue(scope, out HashSet<string>? names))
            {
                Keep(scope.Graph.Input, input => !names.Contains(input.Name));
            }
        }
    }

    private static GraphScope ScopeIn(GraphIndex after, GraphScope before) =>
        after.Scopes.First(scope => ReferenceEquals(scope.Graph, before.Graph));

    private static void Keep<T>(Google.Protobuf.Collections.RepeatedField<T> list, Func<T, bool> keep)
    {
        if (list.All(keep))
        {
            return;
        }

        List<T> kept = [.. list.Where(keep)];
        list.Clear();
        list.AddRange(kept);
    }
}
