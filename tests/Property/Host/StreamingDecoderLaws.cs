// SPDX-License-Identifier: MIT
// Decoding piece by piece is decoding the whole, for any bytes and any cuts; stop strings are found for any cuts.
using System.Text;
using CatsOnnx.Generation;
using CatsOnnx.Tokenization;
using CsCheck;

namespace CatsOnnx.Tests.Property.Host;

public sealed class StreamingDecoderLaws
{
    private static readonly Gen<string> s_text = Gen.OneOf(
        Gen.String,
        Gen.OneOfConst("a", " ", "\u00e9", "\u20ac", "\U0001F469", "\u200d", "\u0000").Array[0, 30].Select(parts => string.Concat(parts)));

    [Fact]
    public void Streamed_text_is_whole_text_for_any_cuts() =>
        Gen.Select(s_text, Gen.Int[1, 7].Array[1, 50]).Sample((text, cuts) =>
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            return Stream(bytes, cuts, whole: true) == Encoding.UTF8.GetString(bytes);
        });

    [Fact]
    public void Streamed_bytes_that_are_no_text_decode_as_they_do_at_once() =>
        Gen.Select(Gen.OneOf(Gen.Byte, Gen.Byte[0xC0, 0xFF], Gen.Byte[0x80, 0xBF]).Array[0, 40], Gen.Int[1, 5].Array[1, 50]).Sample((bytes, cuts) =>
            Stream(bytes, cuts, whole: false) == Encoding.UTF8.GetString(bytes));

    [Fact]
    public void A_stop_string_ends_the_text_at_its_first_place_for_any_cuts() =>
        Gen.Select(Gen.Char["abc"].Array[0, 40], Gen.Char["abc"].Array[1, 4].Array[1, 3], Gen.Int[1, 5].Array[1, 50]).Sample((letters, stops, cuts) =>
        {
            string text = new(letters);
            string[] stopStrings = [.. stops.Select(stop => new string(stop))];
            StopStringFilter filter = new(stopStrings);
            StringBuilder passed = new();
            for (int at = 0, i = 0; at < text.Length; i++)
            {
                int length = Math.Min(cuts[i % cuts.Length], text.Length - at);
                passed.Append(filter.Append(text.AsSpan(at, length)));
                at += length;
            }

            passed.Append(filter.Finish());

            // The stop string whose end comes first ends the stream; only its start may lie behind an earlier start of another.
            int[] places = [.. stopStrings.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(place => place >= 0)];
            bool found = places.Length > 0;
            return filter.Stopped == found && text.StartsWith(passed.ToString(), StringComparison.Ordinal)
                && (found ? stopStrings.Any(stop => text.AsSpan(passed.Length).StartsWith(stop)) && stopStrings.All(stop => !passed.ToString().Contains(stop, StringComparison.Ordinal))
                    : passed.Length == text.Length);
        });

    private static string Stream(byte[] bytes, int[] cuts, bool whole)
    {
        StreamingDecoder decoder = new();
        StringBuilder text = new();
        for (int at = 0, i = 0; at < bytes.Length; i++)
        {
            int length = Math.Min(cuts[i % cuts.Length], bytes.Length - at);
            ReadOnlySpan<char> piece = decoder.Append(bytes.AsSpan(at, length));
            if (whole)
            {
                Assert.False(piece.Length > 0 && char.IsHighSurrogate(piece[^1]));
            }

            text.Append(piece);
            at += length;
        }

        return text.Append(decoder.Finish()).ToString();
    }
}
