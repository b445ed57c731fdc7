// SPDX-License-Identifier: MIT
// Where the tokens of sequences of unequal length lie in the rectangle that a batch is: padding, mask, positions.
namespace CatsOnnx.Generation;

/// <summary>On which side of a sequence its padding lies, as Hugging Face's tokenizers name it.</summary>
internal enum PaddingSide
{
    /// <summary>Before it: all sequences end together. For graphs that concatenate past and new keys.</summary>
    Left,

    /// <summary>After it: all sequences begin together, and each one's next token goes to its own end. For GroupQueryAttention.</summary>
    Right,
}

/// <summary>The rows of a batch: how many tokens each holds, in a rectangle [rows, width].</summary>
internal sealed class BatchRows
{
    private readonly PaddingSide _side;
    private readonly List<int> _lengths;

    /// <param name="side">Where padding goes.</param>
    /// <param name="width">Tokens of the longest sequence that there will be.</param>
    public BatchRows(PaddingSide side, int width)
        : this(side, width, [])
    {
    }

    private BatchRows(PaddingSide side, int width, List<int> lengths)
    {
        _side = side;
        _lengths = lengths;
        Width = width;
    }

    /// <summary>Sequences.</summary>
    public int Count => _lengths.Count;

    /// <summary>Tokens of a row, padding among them.</summary>
    public int Width { get; private set; }

    /// <summary>Whether the rows are wider than the longest sequence needs.</summary>
    public bool TooWide => Count > 0 && Width > _lengths.Max();

    /// <summary>Tokens that a sequence holds: the position of its next one.</summary>
    public int Length(int row) => _lengths[row];

    /// <summary>The column of a sequence's first token.</summary>
    public int First(int row) => _side == PaddingSide.Left ? Width - _lengths[row] : 0;

    /// <summary>Adds a sequence below the others.</summary>
    public void Add(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Width);
        _lengths.Add(length);
    }

    /// <summary>These rows alone, in a rectangle as narrow as they allow.</summary>
    public BatchRows Keep(ReadOnlySpan<int> rows)
    {
        List<int> lengths = [];
        foreach (int row in rows)
        {
            lengths.Add(_lengths[row]);
        }

        return new BatchRows(_side, lengths.Max(), lengths);
    }

    /// <summary>Each sequence has got a token.</summary>
    public void Advance()
    {
        for (int row = 0; row < _lengths.Count; row++)
        {
            _lengths[row]++;
        }

        Width++;
    }

    /// <summary>The mask of a run of one more token each.</summary>
    /// <param name="mask">[rows, width + 1]: gets 1 for the tokens held and the new one, 0 for padding.</param>
    public void WriteMask(Span<int> mask)
    {
        mask.Clear();
        for (int row = 0; row < Count; row++)
        {
            mask.Slice((row * (Width + 1)) + First(row), Length(row) + 1).Fill(1);
        }
    }
}
