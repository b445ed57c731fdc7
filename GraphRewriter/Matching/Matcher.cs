// SPDX-License-Identifier: MIT
// Finds a pattern at a value, trying every choice and operand order; a failure names the deepest node that was reached.
using CatsOnnx.GraphRewriter.Model;

namespace CatsOnnx.GraphRewriter.Matching;

/// <summary>Matches patterns against a graph. What <see cref="MatchContext.Strip"/> looks through is part of no pattern.</summary>
/// <param name="context">The graph's index and constants.</param>
internal sealed class Matcher(MatchContext context)
{
    private int _deepest;
    private string _reason = "";
    private Proto.NodeProto? _node;

    /// <summary>Looks for a pattern.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="value">The value that must be its result.</param>
    public MatchResult<Bindings> Match(Pattern pattern, GraphValue value)
    {
        _deepest = -1;
        _reason = "";
        _node = value.Producer;
        foreach (Bindings bindings in Enumerate(pattern, value, Bindings.Empty, 0))
        {
            return MatchResult<Bindings>.Found(bindings);
        }

        return MatchResult<Bindings>.Miss(_reason, _node, Math.Max(_deepest, 0));
    }

    private IEnumerable<Bindings> Enumerate(Pattern pattern, GraphValue value, Bindings bindings, int depth)
    {
        switch (pattern)
        {
            case Pattern.Hole hole:
                Stripped stripped = context.Strip(value);
                if (bindings.Bind(hole.Name, stripped.Value) is { } bound)
                {
                    yield return stripped.Nodes.Aggregate(bound, (all, node) => all.Cover(null, node));
                }
                else
                {
                    Fail(depth, $"'{value.Name}' is not the value expected for {hole.Name}", value);
                }

                break;
            case Pattern.Number number:
                if (context.Constants.Scalar(value) == number.Wanted)
                {
                    yield return bindings;
                }
                else
                {
                    Fail(depth, $"'{value.Name}' is not the constant {number.Wanted}", value);
                }

                break;
            case Pattern.Choice choice:
                foreach (Bindings bindingsOfForm in choice.Forms.SelectMany(form => Enumerate(form, value, bindings, depth)))
                {
                    yield return bindingsOfForm;
                }

                break;
            case Pattern.Operation operation:
                foreach (Bindings bindingsOfNode in EnumerateNode(operation, value, bindings, depth))
                {
                    yield return bindingsOfNode;
                }

                break;
        }
    }

    private IEnumerable<Bindings> EnumerateNode(Pattern.Operation operation, GraphValue value, Bindings bindings, int depth)
    {
        Stripped stripped = context.Strip(value);
        Proto.NodeProto? node = stripped.Value.Producer;
        if (node is null || !operation.Fits(node) || stripped.Value.ProducerOutput != operation.Output)
        {
            Fail(depth, node is null ? $"'{value.Name}' is no result of {operation.OpType}" : $"{GraphText.Operator(node)} is not {operation.OpType}", value);
            yield break;
        }

        Bindings covered = stripped.Nodes.Aggregate(bindings, (all, skipped) => all.Cover(null, skipped)).Cover(operation.Name, node);
        GraphScope scope = stripped.Value.Scope;
        foreach (Bindings found in EnumerateInputs(operation, operation.Inputs, node, scope, covered, depth + 1))
        {
            yield return found;
        }

        if (operation.Commutes)
        {
            foreach (Bindings found in EnumerateInputs(operation, [operation.Inputs[1], operation.Inputs[0]], node, scope, covered, depth + 1))
            {
                yield return found;
            }
        }
    }

    private IEnumerable<Bindings> EnumerateInputs(
        Pattern.Operation operation, Pattern[] patterns, Proto.NodeProto node, GraphScope scope, Bindings bindings, int depth, int first = 0)
    {
        if (first == patterns.Length)
        {
            yield return bindings;
            yield break;
        }

        if (scope.Input(node, first) is not { } input)
        {
            Fail(depth, $"{operation.OpType} has no input {first}", null, node);
            yield break;
        }

        foreach (Bindings found in Enumerate(patterns[first], input, bindings, depth))
        {
            foreach (Bindings all in EnumerateInputs(operation, patterns, node, scope, found, depth, first + 1))
            {
                yield return all;
            }
        }
    }

    private void Fail(int depth, string reason, GraphValue? value, Proto.NodeProto? node = null)
    {
        if (depth > _deepest)
        {
            _deepest = depth;
            _reason = reason;
            _node = node ?? value?.Producer;
        }
    }
}
