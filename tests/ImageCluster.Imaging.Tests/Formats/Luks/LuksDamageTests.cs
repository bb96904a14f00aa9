using System.Buffers.Binary;
using System.Text;
using ImageCluster.Imaging.Formats.Luks;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Luks;

/// <summary>Broken headers are refused in QEMU's words, or described as QEMU describes them; opening one ends at once.</summary>
public sealed class LuksDamageTests : IDisposable
{
    private const int FirstSlot = 208;
    private const int SlotLength = 48;

    private readonly TempDirectory _directory = new();

    /// <summary>Numbers of the header by their place.</summary>
    public static TheoryData<int> Numbers => new(
        104, 108, 164,
        FirstSlot, FirstSlot + 4, FirstSlot + 40, FirstSlot + 44,
        FirstSlot + (7 * SlotLength), FirstSlot + (7 * SlotLength) + 4, FirstSlot + (7 * SlotLength) + 40, FirstSlot + (7 * SlotLength) + 44);

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [MemberData(nameof(Numbers))]
    public void NumbersAreCheckedAsQemuDoes(int at)
    {
        QemuTools.Require();
        string image = MakeImage();
        byte[] good = File.ReadAllBytes(image);
        foreach (uint value in (uint[])[0, 1, 7, 8, 4040, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
        {
            byte[] bad = [.. good];
            BinaryPrimitives.WriteUInt32BigEndian(bad.AsSpan(at), value);
            File.WriteAllBytes(image, bad);

            // QEMU's sum of a slot's place and length runs over and passes, its product of key length and stripes likewise.
            bool runsOver = (at - FirstSlot) % SlotLength == 40 && value == 0xFFFFFFFF;
            if (!runsOver && (at, value) is not (108, 0x80000000))
            {
                AssertSame(image, $"{value:x} at {at}");
            }

            ImageException? refusal = TryOpen(image);
            if (runsOver)
            {
                Assert.Equal(ImageErrorKind.Corrupt, refusal?.Kind);
            }
        }
    }

    [SkippableTheory]
    [InlineData(0, "LUCKS")]
    [InlineData(6, "\0\u0002")]
    [InlineData(8, "foo")]
    [InlineData(8, "serpent")]
    [InlineData(8, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
    [InlineData(40, "xts")]
    [InlineData(40, "foo-plain")]
    [InlineData(40, "xts-foo")]
    [InlineData(40, "xts-essiv")]
    [InlineData(40, "xts-essiv:foo")]
    [InlineData(40, "xts-essiv:sha1")]
    [InlineData(40, "xts-plain:sha1")]
    [InlineData(40, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy")]
    [InlineData(72, "foo")]
    [InlineData(72, "ripemd160")]
    [InlineData(72, "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz")]
    [InlineData(168, "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu")]
    public void NamesAreCheckedAsQemuDoes(int at, string value)
    {
        QemuTools.Require();
        string image = MakeImage();
        byte[] bytes = File.ReadAllBytes(image);
        if (value.Length > 2)
        {
            bytes.AsSpan(at, at is 0 ? 6 : 32).Clear();
        }

        Encoding.ASCII.GetBytes(value, bytes.AsSpan(at));
        File.WriteAllBytes(image, bytes);
        AssertSame(image, value);
        TryOpen(image);
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(6)]
    [InlineData(500)]
    [InlineData(591)]
    [InlineData(592)]
    [InlineData(4096)]
    [InlineData(200_000)]
    [InlineData(2_068_479)]
    [InlineData(2_068_480)]
    public void TruncatedFilesAreTakenAsQemuDoes(int length)
    {
        QemuTools.Require();
        string image = MakeImage();
        byte[] bytes = File.ReadAllBytes(image);
        File.WriteAllBytes(image, bytes[..length]);
        AssertSame(image, $"{length} bytes");
        ImageException? refusal = TryOpen(image);
        Assert.Equal(length <= 200_000, refusal is not null);
    }

    [SkippableFact]
    public void ACipherWithSmallBlocksIsDescribedButNotUsedWithXts()
    {
        QemuTools.Require();
        string image = MakeImage("cipher-alg=aes-128");
        byte[] bytes = File.ReadAllBytes(image);
        bytes.AsSpan(8, 32).Clear();
        "cast5"u8.CopyTo(bytes.AsSpan(8));
        File.WriteAllBytes(image, bytes);
        AssertSame(image, "cast5 with XTS");
        LuksFormatTests.AssertSameRefusal(LuksTestImages.TryImg("map", "--image-opts", LuksTestImages.Opts(image)), () => LuksTestImages.Open(image));
    }

    // QEMU hashes for hours.
    [Theory]
    [InlineData(FirstSlot + 4, uint.MaxValue)]
    [InlineData(FirstSlot + 4, (1 << 28) + 1)]
    [InlineData(164, uint.MaxValue)]
    [InlineData(164, (1 << 29) + 1)]
    public void HoursOfHashingAreRefused(int at, uint iterations)
    {
        string image = MakeImage();
        byte[] bytes = File.ReadAllBytes(image);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at), iterations);
        File.WriteAllBytes(image, bytes);
        Assert.Equal(ImageErrorKind.Limit, TryOpen(image)!.Kind);
        LuksTestImages.Open(image, null, describeOnly: true).Dispose();
    }

    [Fact]
    public void TheLimitIsForAllKeySlotsThatAreTriedTogether()
    {
        string image = MakeImage();
        byte[] bytes = File.ReadAllBytes(image);
        for (int slot = 1; slot < 8; slot++)
        {
            bytes.AsSpan(FirstSlot, 8).CopyTo(bytes.AsSpan(FirstSlot + (slot * SlotLength)));
        }

        // The first slot knows the password: what the others would take does not matter.
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(FirstSlot + SlotLength + 4), uint.MaxValue);
        File.WriteAllBytes(image, bytes);
        Assert.Null(TryOpen(image));
        ImageException refusal = Assert.Throws<ImageException>(() => LuksTestImages.Open(image, "wrong"));
        Assert.Equal(ImageErrorKind.Limit, refusal.Kind);
        Assert.StartsWith("Keyslot 1 asks for 4294967295 PBKDF iterations", refusal.Message, StringComparison.Ordinal);
    }

    private static ImageException? TryOpen(string image)
    {
        Exception? failure = Record.Exception(() => LuksTestImages.Open(image).Dispose());
        Assert.True(failure is null or ImageException, failure?.ToString());
        return failure as ImageException;
    }

    // Both describe the image, or both refuse it in the same words.
    private static void AssertSame(string image, string what)
    {
        ToolResult theirs = QemuTools.TryImg("info", "--image-opts", $"driver=luks,file.filename={image}");
        Exception? failure = Record.Exception(() => LuksTestImages.Open(image, null, describeOnly: true).Dispose());
        Assert.True(theirs.ExitCode == 0 == (failure is null), $"{what}: {theirs.Error} {failure}");
        if (failure is not null)
        {
            Assert.IsType<ImageException>(failure);
            Assert.EndsWith($": {failure.Message}\n", theirs.Error, StringComparison.Ordinal);
        }
    }

    private string MakeImage(string options = "")
    {
        string image = _directory["a.luks"];
        new LuksFormat().Create(LuksTestImages.Request(image, 64 << 10, options));
        return image;
    }
}
