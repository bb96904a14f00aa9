using System.Formats.Tar;
using System.Text;
using ImageCluster.Imaging.Storage.Archives;
using ImageCluster.Testing.Archives;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage.Archives;

/// <summary>Archives that lie or end too soon: one clear error, in bounded time and memory.</summary>
public sealed class ArchiveDamageTests
{
    private static readonly byte[] Disk = [.. Enumerable.Range(0, 3000).Select(i => (byte)i)];

    [Theory]
    [InlineData(TarEntryFormat.Ustar)]
    [InlineData(TarEntryFormat.Gnu)]
    [InlineData(TarEntryFormat.Pax)]
    public void ATruncatedArchiveIsToldAtEveryLength(TarEntryFormat format)
    {
        byte[] ovf = Encoding.UTF8.GetBytes(OvaBuilder.Ovf(("disk1.vmdk", "")));
        byte[] whole = OvaBuilder.Tar(format, ("vm.ovf", ovf), ($"{new string('d', 60)}/{new string('x', 60)}", Disk), ("disk1.vmdk", Disk));
        OvaArchive read = OvaArchive.Read(new MemoryFile("vm.ova", whole));
        long end = read.Disks[0].Entry.Offset + Disk.Length;
        for (long length = 0; length < end; length += length % 512 == 511 ? 1 : 73)
        {
            ImageException e = Assert.Throws<ImageException>(() => OvaArchive.Read(new MemoryFile("vm.ova", whole.AsSpan(0, (int)length))));
            Assert.True(e.Kind is ImageErrorKind.Truncated or ImageErrorKind.NotThisFormat or ImageErrorKind.Corrupt, $"{length}: {e.Kind} {e.Message}");
            Assert.DoesNotContain('\n', e.Message);
        }
    }

    [Theory]
    [InlineData("77777777777\0", ImageErrorKind.Truncated)]
    [InlineData("00000020000\0", ImageErrorKind.Truncated)]
    [InlineData("9\0", ImageErrorKind.Corrupt)]
    [InlineData("-1\0", ImageErrorKind.Corrupt)]
    [InlineData("base256-max", ImageErrorKind.Truncated)]
    [InlineData("base256-negative", ImageErrorKind.Corrupt)]
    [InlineData("base256-huge", ImageErrorKind.Corrupt)]
    public void ASizeThatCannotBeIsToldAtOnce(string size, ImageErrorKind kind)
    {
        byte[] tar = OvaBuilder.Tar(TarEntryFormat.Ustar, ("disk1.vmdk", Disk));
        Span<byte> field = tar.AsSpan(124, 12);
        switch (size)
        {
            case "base256-max":
                field.Clear();
                field[0] = 0x80;
                field[4..].Fill(0xff);
                field[4] = 0x7f;
                break;
            case "base256-negative":
                field.Fill(0xff);
                break;
            case "base256-huge":
                field.Fill(0x11);
                field[0] = 0x80;
                break;
            default:
                field.Clear();
                Encoding.ASCII.GetBytes(size).CopyTo(field);
                break;
        }

        Seal(tar);
        Assert.Equal(kind, Assert.Throws<ImageException>(() => TarArchive.Read(new MemoryFile("a.tar", tar))).Kind);
    }

    [Theory]
    [InlineData("30 size=99999999999999999999\n")]
    [InlineData("11 size=-1\n")]
    [InlineData("99 path=x\n")]
    [InlineData("0 path=x\n")]
    [InlineData("-5 path=x\n")]
    [InlineData("10 path=xy")]
    [InlineData("9 pathxy\n")]
    [InlineData("99999999999999999999 path=x\n")]
    public void APaxHeaderThatMakesNoSenseIsCorrupt(string records)
    {
        byte[] tar = OvaBuilder.Tar(TarEntryFormat.Ustar, ("PaxHeader", Encoding.ASCII.GetBytes(records)), ("disk1.vmdk", Disk));
        tar[156] = (byte)'x';
        Seal(tar);
        Assert.Equal(ImageErrorKind.Corrupt, Assert.Throws<ImageException>(() => TarArchive.Read(new MemoryFile("a.tar", tar))).Kind);
    }

    [Fact]
    public void MetadataIsNotReadWithoutLimit()
    {
        byte[] tar = OvaBuilder.Tar(TarEntryFormat.Ustar, ("PaxHeader", new byte[(1 << 20) + 1]), ("disk1.vmdk", Disk));
        foreach (char type in "xgL")
        {
            tar[156] = (byte)type;
            Seal(tar);
            Assert.Equal(ImageErrorKind.Limit, Assert.Throws<ImageException>(() => TarArchive.Read(new MemoryFile("a.tar", tar))).Kind);
        }
    }

    [Fact]
    public void AWrongChecksumIsCorrupt()
    {
        byte[] tar = OvaBuilder.Tar(TarEntryFormat.Ustar, ("a", Disk), ("b", Disk));
        tar[512 + 3072] ^= 1;
        ImageException e = Assert.Throws<ImageException>(() => TarArchive.Read(new MemoryFile("a.tar", tar)));
        Assert.Equal("The archive is damaged: the checksum of the header at offset 3,584 is wrong", e.Message);
    }

    [Fact]
    public void WhatIsNoArchiveIsNotOne()
    {
        Assert.Equal(ImageErrorKind.NotThisFormat, Assert.Throws<ImageException>(() => TarArchive.Read(new MemoryFile("a.tar", Disk))).Kind);
        ImageException e = Assert.Throws<ImageException>(() => OvaArchive.Read(new MemoryFile("a.ova", OvaBuilder.Tar(TarEntryFormat.Ustar, ("disk", Disk)))));
        Assert.Equal("The archive holds no OVF descriptor", e.Message);
        Assert.Equal(ImageErrorKind.NotThisFormat, Assert.Throws<ImageException>(() => OvaArchive.Read(new MemoryFile("a.ova", []))).Kind);
    }

    [Fact]
    public void ANameTwiceIsCorrupt() =>
        Assert.Contains("'disk1.vmdk' occurs twice", Assert.Throws<ImageException>(
            () => TarArchive.Read(new MemoryFile("a.tar", OvaBuilder.Tar(TarEntryFormat.Ustar, ("disk1.vmdk", Disk), ("disk1.vmdk", Disk))))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("<a", "cannot be read as XML")]
    [InlineData("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "cannot be read as XML")]
    [InlineData("", "cannot be read as XML")]
    [InlineData("<a><Disk diskId='d' fileRef='f'/></a>", "disk 'd' refers to file 'f', which the descriptor does not have")]
    [InlineData("<a><File id='f' href='../../etc/passwd'/><Disk diskId='d' fileRef='f'/></a>", "refers to '../../etc/passwd', which is not in the archive")]
    [InlineData("<a><File id='f' href='http://host/disk.vmdk'/><Disk diskId='d' fileRef='f'/></a>", "refers to 'http://host/disk.vmdk', which is not in the archive")]
    public void ADescriptorThatMakesNoSenseIsTold(string ovf, string message)
    {
        byte[] tar = OvaBuilder.Tar(TarEntryFormat.Ustar, ("vm.ovf", Encoding.UTF8.GetBytes(ovf)), ("disk1.vmdk", Disk));
        ImageException e = Assert.Throws<ImageException>(() => OvaArchive.Read(new MemoryFile("vm.ova", tar)));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.Equal(ImageErrorKind.Corrupt, e.Kind);
    }

    [Fact]
    public void TheDescriptorIsListed()
    {
        OvaArchive ova = OvaArchive.Read(new MemoryFile("vm.ova", OvaBuilder.Ova(("disk1.vmdk", Disk), ("disk2.vmdk", Disk))));
        Assert.Equal("web01", ova.SystemName);
        Assert.Equal(["1 vmdisk1 disk1.vmdk 1048576", "2 vmdisk2 disk2.vmdk 2097152"],
            ova.Disks.Select(disk => $"{disk.Number} {disk.Id} {disk.Entry.Name} {disk.Capacity}"));
        Assert.Equal("vm.mf", ova.Manifest!.Name);
    }

    [Fact]
    public void TheManifestIsHeldAgainstTheFiles()
    {
        byte[] ovf = Encoding.UTF8.GetBytes(OvaBuilder.Ovf(("disk1.vmdk", "")));
        byte[] manifest = [.. OvaBuilder.Manifest(("vm.ovf", ovf), ("disk1.vmdk", [1, 2, 3]), ("gone.vmdk", [])), .. "SHA1(sha1)= da39a3ee5e6b4b0d3255bfef95601890afd80709\n"u8];
        byte[] tar = OvaBuilder.Tar(TarEntryFormat.Ustar, ("vm.ovf", ovf), ("vm.mf", manifest), ("disk1.vmdk", Disk), ("sha1", []), ("more", Disk));
        MemoryFile file = new("vm.ova", tar);
        Assert.Equal(
            ["vm.ovf SHA256 Good", "disk1.vmdk SHA256 Different", "gone.vmdk SHA256 Missing", "sha1 SHA1 Good", "more  NotNamed"],
            OvaVerifier.Verify(file, OvaArchive.Read(file), CancellationToken.None).Select(f => $"{f.Name} {f.Algorithm} {f.Verdict}"));
    }

    [Theory]
    [InlineData("MD5(a)= 00")]
    [InlineData("SHA256 a 00")]
    [InlineData("SHA256(a= 00")]
    public void AManifestThatMakesNoSenseIsTold(string line)
    {
        byte[] ovf = Encoding.UTF8.GetBytes(OvaBuilder.Ovf());
        MemoryFile file = new("vm.ova", OvaBuilder.Tar(TarEntryFormat.Ustar, ("vm.ovf", ovf), ("vm.mf", Encoding.ASCII.GetBytes(line))));
        Assert.Throws<ImageException>(() => OvaVerifier.Verify(file, OvaArchive.Read(file), CancellationToken.None));
    }

    private static void Seal(Span<byte> header)
    {
        header.Slice(148, 8).Fill((byte)' ');
        int sum = 0;
        foreach (byte b in header[..512])
        {
            sum += b;
        }

        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header[148..]);
    }
}
