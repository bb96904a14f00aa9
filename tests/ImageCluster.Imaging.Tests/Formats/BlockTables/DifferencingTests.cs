using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.BlockTables;

/// <summary>
/// What holds for disks that hold the difference to a parent, as Hyper-V's checkpoints leave them. QEMU cannot read these: the images are
/// built by hand and 7-Zip gives the second opinion.
/// </summary>
public abstract class DifferencingTests(string format, string sevenZipType, string extension) : IDisposable
{
    protected const int MiB = 1 << 20;
    protected const int Size = 6 * MiB;

    /// <summary>The block of the guest of which some sectors are in the child.</summary>
    protected const int PartialBlock = 1;

    /// <summary>Sectors of the partial block that the child holds.</summary>
    internal static readonly int[] Here = [0, 1, 5, 63, 64, 100, 1000, 2047];

    private readonly TempDirectory _directory = new();

    protected string Parent => _directory["parent." + extension];

    private string Child => _directory["child." + extension];

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void WhatIsNotInTheChildIsReadFromTheParent()
    {
        byte[] guest = Make();
        using LayeredDisk chain = Open(Child);
        Assert.Equal(2, chain.Layers.Count);
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(chain)));
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadByExtents(chain)));
        Assert.Equal(ExtentKind.Absent, chain.Top.Map(0, 1).Kind);
        Assert.Equal((ExtentKind.Data, 1024L), (chain.Top.Map((long)PartialBlock * BlockSize, 4096).Kind, chain.Top.Map((long)PartialBlock * BlockSize, 4096).Length));
        Assert.Equal(ExtentKind.Absent, chain.Top.Map(((long)PartialBlock * BlockSize) + 1024, 512).Kind);
    }

    [SkippableFact]
    public void SevenZipReadsTheSame()
    {
        byte[] guest = Make();
        Assert.True(guest.AsSpan().SequenceEqual(SevenZip.Extract(sevenZipType, Child, _directory["extracted"])));
    }

    [Fact]
    public void AParentThatWasMovedIsFoundBesideTheChild()
    {
        byte[] guest = Make(["C:\\Disks\\Old\\" + Path.GetFileName(Parent)]);
        using LayeredDisk chain = Open(Child);
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(chain)));
    }

    [Fact]
    public void AMissingParentIsNamed()
    {
        Make();
        File.Delete(Parent);
        ImageException e = Assert.Throws<ImageException>(() => Open(Child));
        Assert.Contains(Path.GetFileName(Parent), e.Message + e.File, StringComparison.Ordinal);
    }

    [Fact]
    public void AParentThatIsNotTheOneNamedIsRefused()
    {
        Make();
        Kit.Fill(Parent, GuestContent.Make(Size, 99), ParentOptions);
        AssertRefused();
    }

    [Fact]
    public void AChildThatNamesItselfIsRefused()
    {
        Make([".\\" + Path.GetFileName(Child)]);
        Assert.Throws<ImageException>(() => Open(Child));
    }

    [Fact]
    public void ADiskOnADifferencingDiskIsReadThroughBoth()
    {
        byte[] guest = Make();
        string top = MakeOn(Child, guest);
        using LayeredDisk chain = Open(top);
        Assert.Equal(3, chain.Layers.Count);
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(chain)));
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadByExtents(chain)));
    }

    [Fact]
    public void DisksThatNameEachOtherAreRefused()
    {
        byte[] guest = Make();
        string top = MakeOn(Child, guest);
        File.WriteAllBytes(Child, BuildChild(File.ReadAllBytes(top), new byte[BlockSize], new byte[BlockSize], [".\\" + Path.GetFileName(top)]));
        Assert.Throws<ImageException>(() => Open(Child));
        Assert.Throws<ImageException>(() => Open(top));
    }

    [Fact]
    public void ADifferencingDiskIsNotWritten()
    {
        Make();
        ImageException e = Assert.Throws<ImageException>(() => Kit.Open(Child, write: true));
        Assert.Equal(ImageErrorKind.Unsupported, e.Kind);
    }

    [Fact]
    public void ADamagedChildGivesAnErrorOrRightBytes()
    {
        Make();
        byte[] image = File.ReadAllBytes(Child);
        foreach (int cut in Cuts(image))
        {
            DamagedImages.Survive(format, image[..cut], $"cut at {cut}");
        }

        Random random = new(8);
        for (int i = 0; i < 60; i++)
        {
            byte[] bad = [.. image];
            bad[random.Next(MetadataLength)] ^= (byte)(1 << random.Next(8));
            DamagedImages.Survive(format, bad, $"damage {i}");
        }
    }

    [Fact]
    public void FieldsOutOfRangeGiveAnErrorOrRightBytes()
    {
        Make();
        byte[] image = File.ReadAllBytes(Child);
        foreach (Field field in Fields)
        {
            foreach (ulong value in field.BadValues(image))
            {
                DamagedImages.Survive(format, Reseal(field.With(image, value)), $"{field.Name} = 0x{value:x}");
            }
        }
    }

    protected void AssertRefused()
    {
        ImageException e = Assert.Throws<ImageException>(() => Open(Child));
        Assert.Equal(ImageErrorKind.Corrupt, e.Kind);
        Assert.Contains("is not the disk that this one was made on", e.Message, StringComparison.Ordinal);
    }

    protected abstract string ParentOptions { get; }

    protected abstract int BlockSize { get; }

    protected abstract int MetadataLength { get; }

    protected abstract IEnumerable<int> Cuts(byte[] image);

    /// <summary>The fields that say where the parent is and which sectors are here.</summary>
    protected abstract IEnumerable<Field> Fields { get; }

    /// <summary>Makes checksums right again after a change.</summary>
    protected virtual byte[] Reseal(byte[] image) => image;

    /// <summary>
    /// Builds a child of a parent's file: block 0 is not there, of block 1 the sectors <see cref="Here"/> are, block 2 is there whole.
    /// </summary>
    protected abstract byte[] BuildChild(byte[] parent, byte[] partial, byte[] whole, IReadOnlyList<string> paths);

    protected FormatKit Kit => new(format, new LocalFileLocator());

    private byte[] Make(IReadOnlyList<string>? paths = null)
    {
        byte[] guest = GuestContent.Make(Size, 61);
        Kit.Fill(Parent, guest, ParentOptions);
        byte[] partial = new byte[BlockSize];
        byte[] whole = new byte[BlockSize];
        new Random(1).NextBytes(whole);
        foreach (int sector in Here)
        {
            partial.AsSpan(sector * 512, 512).Fill((byte)(sector | 1));
            partial.AsSpan(sector * 512, 512).CopyTo(guest.AsSpan((PartialBlock * BlockSize) + (sector * 512)));
        }

        whole.CopyTo(guest, 2 * BlockSize);
        File.WriteAllBytes(Child, BuildChild(File.ReadAllBytes(Parent), partial, whole, paths ?? [".\\" + Path.GetFileName(Parent)]));
        return guest;
    }

    // Another child, with other bytes where the first has its own; they are put into guest too.
    private string MakeOn(string parent, byte[] guest)
    {
        byte[] partial = new byte[BlockSize];
        byte[] whole = new byte[BlockSize];
        new Random(2).NextBytes(whole);
        foreach (int sector in Here.Skip(2))
        {
            partial.AsSpan(sector * 512, 512).Fill((byte)(sector | 0x81));
            partial.AsSpan(sector * 512, 512).CopyTo(guest.AsSpan((PartialBlock * BlockSize) + (sector * 512)));
        }

        // The sectors of the bitmap are the same in both.
        foreach (int sector in Here.Take(2))
        {
            guest.AsSpan((PartialBlock * BlockSize) + (sector * 512), 512).CopyTo(partial.AsSpan(sector * 512));
        }

        whole.CopyTo(guest, 2 * BlockSize);
        string top = _directory["top." + extension];
        File.WriteAllBytes(top, BuildChild(File.ReadAllBytes(parent), partial, whole, [".\\" + Path.GetFileName(parent)]));
        return top;
    }

    private static LayeredDisk Open(string name) => new ChainOpener(new LocalFileLocator()).Open(name, new ChainOptions
    {
        Mode = new OpenMode { Lock = ImageLock.None },
    });
}
