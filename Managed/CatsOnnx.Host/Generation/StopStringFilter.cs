// SPDX-License-Identifier: MIT
// Finds stop strings in text that comes piece by piece, and holds back what may be the start of one.
using System.Text;

namespace CatsOnnx.Generation;

/// <summary>Lets text through up to the first stop string.</summary>
internal sealed class StopStringFilter
{
    private readonly IReadOnlyList<string> _stops;
    private readonly StringBuilder _held = new();

    public StopStringFilter(IReadOnlyList<string> stops) => _stops = stops;

    /// <summary>Whether a stop string came.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Takes the next piece and gives the text that no stop string can take back any more.</summary>
    public string Append(ReadOnlySpan<char> piece)
    {
        if (_stops.Count == 0 || Stopped)
        {
            return Stopped || piece.IsEmpty ? "" : piece.ToString();
        }

        if (piece.IsEmpty)
        {
            return "";
        }

        string text = _held.Append(piece).ToString();
        _held.Clear();
        int first = -1;
        foreach (string stop in _stops)
        {
            int at = text.IndexOf(stop, StringComparison.Ordinal);
            first = at >= 0 && (first < 0 || at < first) ? at : first;
        }

        if (first >= 0)
        {
            Stopped = true;
            return text[..first];
        }

        int certain = text.Length - LongestStart(text);
        _held.Append(text, certain, text.Length - certain);
        return text[..certain];
    }

    /// <summary>What was held back, at the end of the text.</summary>
    public string Finish()
    {
        string rest = _held.ToString();
        _held.Clear();
        return rest;
    }

    /// <summary>The length of the longest end of <paramref name="text"/> that a stop string starts with.</summary>
    private int LongestStart(string text)
    {
        int longest = 0;
        foreach (string stop in _stops)
        {
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                {
                    longest = length;
                }
            }
        }

        return longest;
    }
}
