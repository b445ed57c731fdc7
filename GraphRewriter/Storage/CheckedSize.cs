// SPDX-License-Identifier: MIT
// All arithmetic on sizes and offsets that come from a file: it overflows into an error, never into a small number.
namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Sums and products of sizes that must not be negative and must fit 64 bits.</summary>
internal static class CheckedSize
{
    /// <summary>The product of the factors.</summary>
    /// <param name="factors">0 or more each; none gives 1.</param>
    /// <exception cref="OverflowException">The product does not fit 63 bits, or a factor is negative.</exception>
    public static long Product(params ReadOnlySpan<long> factors)
    {
        long product = 1;
        foreach (long factor in factors)
        {
            ThrowIfNegative(factor);
            product = checked(product * factor);
        }

        return product;
    }

    /// <summary>The sum of the terms.</summary>
    /// <param name="terms">0 or more each; none gives 0.</param>
    /// <exception cref="OverflowException">The sum does not fit 63 bits, or a term is negative.</exception>
    public static long Sum(params ReadOnlySpan<long> terms)
    {
        long sum = 0;
        foreach (long term in terms)
        {
            ThrowIfNegative(term);
            sum = checked(sum + term);
        }

        return sum;
    }

    /// <summary>The smallest multiple of <paramref name="alignment"/> that is not below <paramref name="value"/>.</summary>
    /// <param name="value">0 or more.</param>
    /// <param name="alignment">1 or more.</param>
    /// <exception cref="OverflowException">It does not fit 63 bits.</exception>
    public static long AlignUp(long value, long alignment) =>
        checked(value + ((alignment - (value % alignment)) % alignment));

    /// <summary>The number of bytes of <paramref name="elements"/> elements of <paramref name="bits"/> bits, packed.</summary>
    /// <param name="elements">0 or more.</param>
    /// <param name="bits">Of one element: 4, 8, 16, 32 or 64.</param>
    /// <exception cref="OverflowException">It does not fit 63 bits.</exception>
    public static long BytesOf(long elements, int bits) =>
        bits >= 8 ? Product(elements, bits / 8) : (elements / (8 / bits)) + (elements % (8 / bits) == 0 ? 0 : 1);

    private static void ThrowIfNegative(long value)
    {
        if (value < 0)
        {
            throw new OverflowException($"{value} is negative.");
        }
    }
}
