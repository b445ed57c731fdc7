// SPDX-License-Identifier: MIT
// Choice accuracy: which of four continuations of a context a model finds likeliest; the first is the true one.
namespace CatsOnnx.Evaluation.Tasks;

/// <summary>
/// Items made from the eval ids themselves: a context of 48 ids at every 192nd id, and four candidates of 16 ids that
/// begin 0, 48, 96 and 144 ids after the context. A candidate's score is the sum of its ids' log-probabilities.
/// </summary>
public static class ContinuationChoice
{
    /// <summary>Ids of a context.</summary>
    public const int ContextLength = 48;

    /// <summary>Candidates of an item.</summary>
    public const int Candidates = 4;

    /// <summary>Ids of a candidate.</summary>
    public const int CandidateLength = 16;

    private const int ItemStride = 192;
    private const int CandidateStride = 48;
    private const int Reach = 304;

    /// <summary>The starts of the items: every 192nd id s with s &lt; length - 304.</summary>
    /// <param name="length">The number of ids that the windows read.</param>
    public static IReadOnlyList<int> Starts(long length)
    {
        List<int> starts = [];
        for (int start = 0; start < length - Reach; start += ItemStride)
        {
            starts.Add(start);
        }

        return starts;
    }

    /// <summary>The context of an item: [48].</summary>
    /// <param name="ids">The ids that the windows read.</param>
    /// <param name="start">Where the item starts.</param>
    public static ReadOnlySpan<int> Context(ReadOnlySpan<int> ids, int start) => ids.Slice(start, ContextLength);

    /// <summary>A candidate of an item: [16].</summary>
    /// <param name="ids">The ids that the windows read.</param>
    /// <param name="start">Where the item starts.</param>
    /// <param name="candidate">0, the true continuation, to 3.</param>
    public static ReadOnlySpan<int> Candidate(ReadOnlySpan<int> ids, int start, int candidate)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(candidate);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(candidate, Candidates);
        return ids.Slice(start + ContextLength + CandidateStride * candidate, CandidateLength);
    }

    /// <summary>Whether the true continuation scores highest, the first of equals.</summary>
    /// <param name="scores">[4]: the sums of log-probabilities, the true continuation's first.</param>
    public static bool IsRight(ReadOnlySpan<double> scores)
    {
        foreach (double other in scores[1..])
        {
            if (!(scores[0] >= other))
            {
                return false;
            }
        }

        return true;
    }
}
