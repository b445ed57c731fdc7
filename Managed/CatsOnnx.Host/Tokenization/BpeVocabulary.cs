// SPDX-License-Identifier: MIT
// The tokens and merges of a BPE model, and the merging itself in n log n time whatever the text.
namespace CatsOnnx.Tokenization;

/// <summary>A BPE model. Read-only after it is made.</summary>
internal sealed class BpeVocabulary
{
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly Dictionary<ulong, Merge> _merges = []; // (left id, right id) -> rank and merged id

    public BpeVocabulary(Dictionary<string, int> ids)
    {
        _ids = ids;
        _lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    private readonly record struct Merge(int Rank, int Id);

    private struct Symbol
    {
        public int Id; // -1: merged into its left neighbour
        public int Previous;
        public int Next;
    }

    public IReadOnlyDictionary<string, int> Ids => _ids;

    public int? Find(ReadOnlySpan<char> token) => _lookup.TryGetValue(token, out int id) ? id : null;

    /// <summary>Adds a merge; of two for the same pair the first one counts.</summary>
    public void AddMerge(int left, int right, int merged, int rank) => _merges.TryAdd(Pair(left, right), new Merge(rank, merged));

    /// <summary>Merges the ids of the smallest parts of one word, lowest rank first, leftmost first among equals.</summary>
    public void Apply(ReadOnlySpan<int> parts, List<int> output)
    {
        if (parts.Length < 2)
        {
            foreach (int id in parts)
            {
                output.Add(id);
            }

            return;
        }

        Symbol[] symbols = new Symbol[parts.Length];
        PriorityQueue<(int Left, int MergedId), ulong> queue = new();
        for (int i = 0; i < parts.Length; i++)
        {
            symbols[i] = new Symbol { Id = parts[i], Previous = i - 1, Next = i + 1 < parts.Length ? i + 1 : -1 };
        }

        for (int i = 0; i + 1 < parts.Length; i++)
        {
            Offer(i);
        }

        while (queue.TryDequeue(out (int Left, int MergedId) best, out _))
        {
            ref Symbol left = ref symbols[best.Left];
            if (left.Id < 0 || left.Next < 0
                || !_merges.TryGetValue(Pair(left.Id, symbols[left.Next].Id), out Merge merge) || merge.Id != best.MergedId)
            {
                continue; // an older neighbour: this pair is gone
            }

            int right = left.Next;
            left.Id = merge.Id;
            left.Next = symbols[right].Next;
            symbols[right].Id = -1;
            if (left.Next >= 0)
            {
                symbols[left.Next].Previous = best.Left;
                Offer(best.Left);
            }

            if (left.Previous >= 0)
            {
                Offer(left.Previous);
            }
        }

        for (int i = 0; i >= 0; i = symbols[i].Next)
        {
            output.Add(symbols[i].Id);
        }

        void Offer(int position)
        {
            if (_merges.TryGetValue(Pair(symbols[position].Id, symbols[symbols[position].Next].Id), out Merge merge))
            {
                queue.Enqueue((position, merge.Id), ((ulong)(uint)merge.Rank << 32) | (uint)position);
            }
        }
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
