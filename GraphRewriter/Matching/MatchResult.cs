// SPDX-License-Identifier: MIT
// The outcome of looking for something in a graph. A non-match is a value: it says why and where.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Matching;

/// <summary>How far a look went.</summary>
internal enum MatchKind
{
    /// <summary>The graph has another form here.</summary>
    Miss,

    /// <summary>It is the thing looked for, in a form that cannot be used; the reason says why.</summary>
    Refused,

    /// <summary>Found.</summary>
    Match,
}

/// <summary>A match, or a reason and a node.</summary>
/// <typeparam name="T">What a match holds.</typeparam>
internal sealed class MatchResult<T>
    where T : class
{
    private MatchResult(MatchKind kind, T? value, string reason, NodeProto? node, int depth)
    {
        Kind = kind;
        Value = value;
        Reason = reason;
        Node = node;
        Depth = depth;
    }

    /// <summary>How far it went.</summary>
    public MatchKind Kind { get; }

    /// <summary>What was found; with a refusal, what was recognised of it, or null.</summary>
    public T? Value { get; }

    /// <summary>Why it is no match; "" for a match.</summary>
    public string Reason { get; }

    /// <summary>The node that decided.</summary>
    public NodeProto? Node { get; }

    /// <summary>How many parts of the pattern had been found.</summary>
    public int Depth { get; }

    /// <summary>Whether it was found.</summary>
    public bool IsMatch => Kind == MatchKind.Match;

    /// <summary>Found.</summary>
    /// <param name="value">What was found.</param>
    public static MatchResult<T> Found(T value) => new(MatchKind.Match, value, "", null, int.MaxValue);

    /// <summary>Another form.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="node">Where.</param>
    /// <param name="depth">How many parts had been found.</param>
    public static MatchResult<T> Miss(string reason, NodeProto? node, int depth = 0) => new(MatchKind.Miss, null, reason, node, depth);

    /// <summary>Recognised and not usable.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="node">Where.</param>
    /// <param name="value">What was recognised of it.</param>
    /// <param name="depth">How many parts had been found.</param>
    public static MatchResult<T> Refused(string reason, NodeProto? node, T? value = null, int depth = 0) =>
        new(MatchKind.Refused, value, reason, node, depth);
}
