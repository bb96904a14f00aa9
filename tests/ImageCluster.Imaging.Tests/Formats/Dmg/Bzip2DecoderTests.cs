using System.Diagnostics;
using ImageCluster.Imaging.Formats.Dmg;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Dmg;

public sealed class Bzip2DecoderTests
{
    /// <summary>"hello" three times, as libbz2 packs it.</summary>
    private const string Hellos = "425a6839314159265359ac9b0c6d00000281000244a00021b468334d289861c5dc914e14242b26c31b40";

    [Fact]
    public void AKnownStreamInflates()
    {
        byte[] target = new byte[15];
        Bzip2Decoder.Decompress(Convert.FromHexString(Hellos), target, "known");
        Assert.Equal("hellohellohello"u8.ToArray(), target);
    }

    [Theory]
    [InlineData(14, "more than the chunk")]
    [InlineData(16, "ends after 15 of 16 bytes")]
    public void AStreamOfAnotherLengthIsDamaged(int length, string message)
    {
        ImageException e = Assert.Throws<ImageException>(() => Bzip2Decoder.Decompress(Convert.FromHexString(Hellos), new byte[length], "known"));
        Assert.Equal(ImageErrorKind.Corrupt, e.Kind);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(9)]
    public void WhatBzip2PacksInflates(int level)
    {
        using TempDirectory directory = new();
        foreach ((byte[] content, string what) in Contents())
        {
            byte[] packed = Pack(content, level, directory);
            byte[] target = new byte[content.Length];
            Bzip2Decoder.Decompress(packed, target, what);
            Assert.True(content.AsSpan().SequenceEqual(target), what);
        }
    }

    [SkippableFact]
    public void DamageAnywhereIsAnError()
    {
        using TempDirectory directory = new();
        byte[] content = GuestContent.Make(40_000, 6);
        byte[] packed = Pack(content, 1, directory);
        Random random = new(5);
        for (int i = 0; i < 300; i++)
        {
            // The last ten bytes repeat the block's checksum; the block's own is the one that is looked at.
            byte[] damaged = [.. packed];
            damaged[random.Next(packed.Length - 11)] ^= (byte)(1 << random.Next(8));
            byte[] target = new byte[content.Length];
            try
            {
                Bzip2Decoder.Decompress(damaged, target, "damaged");
                Assert.True(content.AsSpan().SequenceEqual(target), "wrong bytes without an error");
            }
            catch (ImageException e)
            {
                Assert.Equal(ImageErrorKind.Corrupt, e.Kind);
            }
        }

        for (int cut = 0; cut < packed.Length - 10; cut += 37)
        {
            Assert.Throws<ImageException>(() => Bzip2Decoder.Decompress(packed.AsSpan(0, cut), new byte[content.Length], "cut"));
        }
    }

    private static IEnumerable<(byte[] Content, string What)> Contents()
    {
        yield return (new byte[1_000_000], "zeros");
        yield return (GuestContent.Make(1_200_000, 4), "mixed");
        byte[] random = new byte[300_000];
        new Random(2).NextBytes(random);
        yield return (random, "random");
        yield return ([.. Enumerable.Range(0, 5000).SelectMany(i => Enumerable.Repeat((byte)(i * 7), i % 260))], "runs of every length");
        yield return ([42], "one byte");
    }

    internal static byte[] Pack(byte[] content, int level)
    {
        using TempDirectory directory = new();
        return Pack(content, level, directory);
    }

    private static byte[] Pack(byte[] content, int level, TempDirectory directory)
    {
        Skip.IfNot(File.Exists("/usr/bin/bzip2"), "bzip2 is not installed");
        File.WriteAllBytes(directory["content"], content);
        ProcessStartInfo start = new("/usr/bin/bzip2", ["-k", "-f", $"-{level}", directory["content"]]);
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return File.ReadAllBytes(directory["content.bz2"]);
    }
}
