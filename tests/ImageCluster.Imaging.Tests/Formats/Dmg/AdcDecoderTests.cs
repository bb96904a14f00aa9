using ImageCluster.Imaging.Formats.Dmg;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Dmg;

public sealed class AdcDecoderTests
{
    // One literal, a short match that runs into itself, a long match.
    [Fact]
    public void AKnownStreamInflates()
    {
        byte[] target = new byte[13];
        AdcDecoder.Decompress([0x81, (byte)'a', (byte)'b', 0x08, 0x01, 0x42, 0x00, 0x06], target, "known");
        Assert.Equal("abababaababab"u8.ToArray(), target);
    }

    [Fact]
    public void WhatIsPackedInflates()
    {
        byte[] content = GuestContent.Make(300_000, 3);
        byte[] target = new byte[content.Length];
        AdcDecoder.Decompress(Pack(content), target, "packed");
        Assert.True(content.AsSpan().SequenceEqual(target));
    }

    [Theory]
    [InlineData("81", 2, "cut short")]
    [InlineData("8161", 2, "cut short")]
    [InlineData("00", 3, "cut short")]
    [InlineData("4000", 4, "cut short")]
    [InlineData("0000", 3, "before its start")]
    [InlineData("80610001", 4, "before its start")]
    [InlineData("8061", 2, "ends after 1 of 2 bytes")]
    [InlineData("806100", 1, "cut short")]
    [InlineData("80610000", 3, "more than the chunk")]
    [InlineData("", 1, "ends after 0 of 1 bytes")]
    public void DamageIsAnError(string stream, int length, string message)
    {
        ImageException e = Assert.Throws<ImageException>(() => AdcDecoder.Decompress(Convert.FromHexString(stream), new byte[length], "damaged"));
        Assert.Equal(ImageErrorKind.Corrupt, e.Kind);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    /// <summary>A simple packer: matches of what stands 1, 2, 4, ... or 512 bytes before, literals else.</summary>
    internal static byte[] Pack(ReadOnlySpan<byte> content)
    {
        List<byte> packed = [];
        List<byte> literals = [];
        for (int at = 0; at < content.Length;)
        {
            (int length, int distance) = LongestMatch(content, at);
            if (length < 4)
            {
                literals.Add(content[at++]);
                Flush(literals.Count == 128);
                continue;
            }

            Flush(literals.Count > 0);
            byte[] match = length <= 18 && distance <= 1024
                ? [(byte)((length - 3) << 2 | (distance - 1) >> 8), (byte)(distance - 1)]
                : [(byte)(0x40 | (length - 4)), (byte)((distance - 1) >> 8), (byte)(distance - 1)];
            packed.AddRange(match);
            at += length;
        }

        Flush(literals.Count > 0);
        return [.. packed];

        void Flush(bool now)
        {
            if (now)
            {
                packed.Add((byte)(0x80 | (literals.Count - 1)));
                packed.AddRange(literals);
                literals.Clear();
            }
        }
    }

    private static (int Length, int Distance) LongestMatch(ReadOnlySpan<byte> content, int at)
    {
        (int Length, int Distance) best = (0, 0);
        for (int distance = 1; distance <= Math.Min(at, 32768); distance *= 2)
        {
            int length = content[at..].CommonPrefixLength(content[(at - distance)..]);
            if (length > best.Length)
            {
                best = (Math.Min(length, 67), distance);
            }
        }

        return best;
    }
}
