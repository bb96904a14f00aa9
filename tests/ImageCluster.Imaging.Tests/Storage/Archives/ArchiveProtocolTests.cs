using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Archives;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Testing.Archives;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage.Archives;

/// <summary>Disks in appliances and archives, by name and by number.</summary>
public sealed class ArchiveProtocolTests : IDisposable
{
    private static readonly byte[] First = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7))];
    private static readonly byte[] Second = [.. Enumerable.Range(0, 512).Select(i => (byte)(i * 3))];

    private readonly TempDirectory _directory = new();
    private readonly ProtocolLocator _locator = new(new LocalFileLocator(), new ArchiveProtocol());

    [Theory]
    [InlineData("#disk1.vmdk", true)]
    [InlineData("#disk2.vmdk", false)]
    [InlineData("#1", true)]
    [InlineData("#2", false)]
    public void ADiskIsNamedByItsFileOrItsNumber(string member, bool isFirst)
    {
        File.WriteAllBytes(_directory["vm.ova"], OvaBuilder.Ova(("disk1.vmdk", First), ("disk2.vmdk", Second)));
        Assert.Equal(isFirst ? First : Second, Read($"ova:{_directory["vm.ova"]}{member}"));
    }

    [Fact]
    public void TheOnlyDiskNeedsNoName()
    {
        File.WriteAllBytes(_directory["vm.ova"], OvaBuilder.Ova(("disk1.vmdk", First)));
        Assert.Equal(First, Read($"ova:{_directory["vm.ova"]}"));
    }

    [Fact]
    public void OfSeveralDisksOneMustBeNamed()
    {
        File.WriteAllBytes(_directory["vm.ova"], OvaBuilder.Ova(("disk1.vmdk", First), ("disk2.vmdk", Second)));
        ImageException e = Assert.Throws<ImageException>(() => Read($"ova:{_directory["vm.ova"]}"));
        Assert.Equal("The archive holds 2 disks: disk1.vmdk, disk2.vmdk", e.Message);
        Assert.EndsWith("vm.ova#disk1.vmdk", e.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("#disk3.vmdk")]
    [InlineData("#0")]
    [InlineData("#3")]
    [InlineData("#-1")]
    [InlineData("#")]
    [InlineData("#../disk1.vmdk")]
    public void ADiskThatIsNotThereIsToldWithThoseThatAre(string member)
    {
        File.WriteAllBytes(_directory["vm.ova"], OvaBuilder.Ova(("disk1.vmdk", First), ("disk2.vmdk", Second)));
        ImageException e = Assert.Throws<ImageException>(() => Read($"ova:{_directory["vm.ova"]}{member}"));
        Assert.Equal(ImageErrorKind.NotFound, e.Kind);
        Assert.EndsWith("there are: disk1.vmdk, disk2.vmdk", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TarEntryFormat.V7)]
    [InlineData(TarEntryFormat.Ustar)]
    [InlineData(TarEntryFormat.Gnu)]
    [InlineData(TarEntryFormat.Pax)]
    public void EveryKindOfTarIsRead(TarEntryFormat format)
    {
        string longName = format == TarEntryFormat.V7 ? "b.raw" : $"{new string('d', 90)}/{new string('n', 90)}";
        File.WriteAllBytes(_directory["a.tar"], OvaBuilder.Tar(format, ("a.raw", First), (longName, Second), ("empty", [])));
        Assert.Equal(First, Read($"tar:{_directory["a.tar"]}#a.raw"));
        Assert.Equal(Second, Read($"tar:{_directory["a.tar"]}#{longName}"));
        Assert.Equal(Second, Read($"tar:{_directory["a.tar"]}#2"));
        Assert.Empty(Read($"tar:{_directory["a.tar"]}#empty"));
    }

    [SkippableTheory]
    [InlineData("v7")]
    [InlineData("oldgnu")]
    [InlineData("gnu")]
    [InlineData("ustar")]
    [InlineData("posix")]
    public void WhatGnuTarWritesIsRead(string format)
    {
        File.WriteAllBytes(_directory["a.raw"], First);
        File.WriteAllBytes(_directory["b.raw"], Second);
        Tar("--format", format, "-cf", _directory["x.tar"], "-C", _directory.Path, "./a.raw", "b.raw");
        Assert.Equal(First, Read($"tar:{_directory["x.tar"]}#a.raw"));
        Assert.Equal(Second, Read($"tar:{_directory["x.tar"]}#2"));
    }

    [SkippableTheory]
    [InlineData("gnu", "")]
    [InlineData("posix", "--sparse-version=0.0")]
    [InlineData("posix", "--sparse-version=0.1")]
    [InlineData("posix", "--sparse-version=1.0")]
    public void ASparseMemberIsRefusedByNameAndWhatFollowsIsRead(string format, string option)
    {
        using (IBlockFile sparse = new LocalFileLocator().Create(_directory["sparse.raw"], 64 << 20, OpenMode.ReadWrite))
        {
            // Enough pieces for GNU's map to go on in further blocks.
            for (int i = 0; i < 60; i++)
            {
                sparse.Write(i << 20, "data"u8);
            }
        }

        File.WriteAllBytes(_directory["b.raw"], Second);
        string[] options = option.Length > 0 ? [option] : [];
        Tar(["-S", "--format", format, .. options, "-cf", _directory["x.tar"], "-C", _directory.Path, "sparse.raw", "b.raw"]);
        Assert.Equal(Second, Read($"tar:{_directory["x.tar"]}#b.raw"));
        Assert.Contains("is stored as a sparse file", Assert.Throws<ImageException>(() => Read($"tar:{_directory["x.tar"]}#1")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GzippedDisksAreRefusedByName()
    {
        MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(First);
        }

        File.WriteAllBytes(_directory["a.tar"], OvaBuilder.Tar(TarEntryFormat.Ustar, ("disk", packed.ToArray()), ("b.raw.gz", First)));
        Assert.Contains("'disk' is compressed with gzip", Assert.Throws<ImageException>(() => Read($"tar:{_directory["a.tar"]}#disk")).Message, StringComparison.Ordinal);
        Assert.Contains("'b.raw.gz' is compressed with gzip", Assert.Throws<ImageException>(() => Read($"tar:{_directory["a.tar"]}#2")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ovf:compression=\"gzip\"", "disk1.vmdk", "'disk1.vmdk' is compressed with gzip and cannot be read in place")]
    [InlineData("ovf:chunkSize=\"7516192768\"", "disk1.vmdk.000000000", "'disk1.vmdk.000000000' is cut into chunks and cannot be read in place")]
    public void WhatTheDescriptorSaysOfAFileIsHeeded(string attributes, string member, string message)
    {
        byte[] ovf = Encoding.UTF8.GetBytes(OvaBuilder.Ovf(("disk1.vmdk", attributes)));
        File.WriteAllBytes(_directory["vm.ova"], OvaBuilder.Tar(TarEntryFormat.Ustar, ("vm.ovf", ovf), (member, First)));
        Assert.Equal(message, Assert.Throws<ImageException>(() => Read($"ova:{_directory["vm.ova"]}#1")).Message);
    }

    [Fact]
    public void AnArchiveInAnArchiveIsOpened()
    {
        byte[] inner = OvaBuilder.Ova(("disk1.vmdk", First));
        File.WriteAllBytes(_directory["all.tar"], OvaBuilder.Tar(TarEntryFormat.Pax, ("vm.ova", inner)));
        Assert.Equal(First, Read($"ova:tar:{_directory["all.tar"]}#vm.ova#disk1.vmdk"));
    }

    [Fact]
    public void AMemberRefersToItsNeighbours()
    {
        Assert.Equal("ova:a/b.ova#base.vmdk", _locator.Combine("ova:a/b.ova#disk1.vmdk", "base.vmdk"));
        Assert.Equal("ova:a/b.ova#dir/base.vmdk", _locator.Combine("ova:a/b.ova#dir/disk1.vmdk", "base.vmdk"));
        Assert.Equal("/base.vmdk", _locator.Combine("ova:a/b.ova#disk1.vmdk", "/base.vmdk"));
    }

    [Fact]
    public void WritingIsRefused()
    {
        File.WriteAllBytes(_directory["vm.ova"], OvaBuilder.Ova(("disk1.vmdk", First)));
        Assert.Equal("A disk in an archive cannot be written", Assert.Throws<ImageException>(() => _locator.Open($"ova:{_directory["vm.ova"]}", OpenMode.ReadWrite)).Message);
    }

    [SkippableFact]
    public void AStreamOptimizedDiskOfAnApplianceReadsAsQemuReadsItUnpacked()
    {
        QemuTools.Require();
        byte[] guest = new byte[4 << 20];
        new Random(3).NextBytes(guest.AsSpan(1 << 20, 1 << 20));
        File.WriteAllBytes(_directory["disk.raw"], guest);
        QemuTools.Img("convert", "-O", "vmdk", "-o", "subformat=streamOptimized", _directory["disk.raw"], _directory["disk1.vmdk"]);
        File.WriteAllBytes(_directory["vm.ova"], OvaBuilder.Ova(("disk1.vmdk", File.ReadAllBytes(_directory["disk1.vmdk"]))));
        using LayeredDisk disk = new ChainOpener(_locator).Open($"ova:{_directory["vm.ova"]}", ChainOptions.ReadOnly);
        Assert.Equal("vmdk", disk.Top.FormatName);
        byte[] read = new byte[disk.VirtualSize];
        disk.Read(0, read);
        Assert.Equal(guest, read);
    }

    public void Dispose() => _directory.Dispose();

    private static void Tar(params string[] arguments)
    {
        Skip.IfNot(File.Exists("/bin/tar") || File.Exists("/usr/bin/tar"), "GNU tar is not installed");
        using Process process = Process.Start("tar", arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    private byte[] Read(string name)
    {
        using IBlockFile file = _locator.Open(name, OpenMode.ReadOnly);
        byte[] bytes = new byte[file.Length];
        Assert.Equal(bytes.Length, file.Read(0, bytes));
        Assert.Equal(0, file.Read(file.Length, new byte[1]));
        return bytes;
    }
}
