// SPDX-License-Identifier: MIT
// Which tokens were seen already, a bit each: so that a penalty counts a token once.
namespace CatsOnnx.Sampling;

/// <summary>A set of token ids.</summary>
internal sealed class TokenMarks
{
    private ulong[] _bits = [];

    /// <summary>Empties the set for ids below <paramref name="vocabulary"/>.</summary>
    public void Clear(int vocabulary)
    {
        int words = (vocabulary + 63) / 64;
        if (_bits.Length != words)
        {
            _bits = new ulong[words];
        }
        else
        {
            Array.Clear(_bits);
        }
    }

    /// <summary>Adds a token.</summary>
    /// <returns>Whether it is new; false too for an id that is not in the vocabulary.</returns>
    public bool Add(int id)
    {
        if ((uint)id >= (uint)(_bits.Length * 64))
        {
            return false;
        }

        ref ulong word = ref _bits[id >> 6];
        ulong bit = 1UL << (id & 63);
        bool added = (word & bit) == 0;
        word |= bit;
        return added;
    }
}
