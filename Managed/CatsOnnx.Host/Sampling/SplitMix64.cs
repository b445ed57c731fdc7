// SPDX-License-Identifier: MIT
// The random numbers of sampling: a generator of our own, so that a seed gives the same text on every version of .NET.
namespace CatsOnnx.Sampling;

/// <summary>Steele, Lea and Flood's SplitMix64.</summary>
internal sealed class SplitMix64(long seed)
{
    private ulong _state = unchecked((ulong)seed);

    /// <summary>A number from 0 to below 1, of 53 random bits.</summary>
    public double NextDouble()
    {
        unchecked
        {
            _state += 0x9E3779B97F4A7C15;
            ulong mixed = _state;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            return ((mixed ^ (mixed >> 31)) >> 11) * (1.0 / (1UL << 53));
        }
    }
}
