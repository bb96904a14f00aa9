using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Extents;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.BlockTables;

/// <summary>What holds for every format that can stand on a backing file.</summary>
public abstract class BackingFormatTests(string format) : IDisposable
{
    private const int BaseSize = (5 << 20) + 512 * 3;
    private const int Size = (6 << 20) + 512 * 5;
    private readonly TempDirectory _directory = new();

    protected abstract string Options { get; }

    protected string this[string name] => _directory[name];

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    [SkippableFact]
    public void OverlaysMadeByQemuReadBackEqual()
    {
        QemuTools.Require();
        byte[] guest = MakeBase();
        QemuTools.Img("create", "-q", "-f", format, "-b", this["base"], "-F", "raw", this["overlay"], $"{Size}");
        guest.AsSpan(70_000, 200_000).Fill(0x11);
        guest.AsSpan(4 << 20, 1 << 20).Clear();
        guest.AsSpan((5 << 20) + 4096, 65536).Fill(0x22);
        QemuTools.Io(this["overlay"], format, "write -P 0x11 70000 200000", "write -z 4M 1M", "write -P 0x22 5246976 65536");
        using LayeredDisk chain = OpenChain();
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(chain)));
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadByExtents(chain)));
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(3)]
    public void OverlaysFilledHereSatisfyQemu(int threads)
    {
        QemuTools.Require();
        byte[] old = MakeBase();
        byte[] guest = GuestContent.Make(Size, seed: 8);

        // A part that is the same as below, as a conversion knows of it, and a part that has become zeros.
        old.AsSpan(1 << 20, 1 << 20).CopyTo(guest.AsSpan(1 << 20));
        guest.AsSpan(3 << 20, 1 << 20).Clear();
        FormatKit kit = new(format, new LocalFileLocator());
        using (IFillTarget target = kit.Format.CreateFill(kit.Request(this["overlay"], Size, $"backing_file={this["base"]},backing_fmt=raw{Options}")))
        {
            OverlaySource source = new(guest, sameFrom: 1 << 20, sameTo: 2 << 20, zeroFrom: 3 << 20, zeroTo: 4 << 20);
            new Converter(source, target, new ConvertOptions { Threads = threads }).Run(CancellationToken.None);
            target.Finish();
        }

        AssertQemuSees(guest);
        using LayeredDisk chain = OpenChain();
        Assert.True(guest.AsSpan().SequenceEqual(FormatKit.ReadAll(chain)));
        Assert.Equal(ExtentKind.Absent, chain.Top.Map(1 << 20, 1).Kind);
    }

    [SkippableFact]
    public void WritingOverABackingFileKeepsToAModel()
    {
        QemuTools.Require();
        byte[] model = MakeBase();
        FormatKit kit = new(format, new LocalFileLocator());
        kit.Create(this["overlay"], Size, $"backing_file={this["base"]},backing_fmt=raw{Options}");
        Gen<(int Kind, int Offset, int Length, int Seed)> step = Gen.Select(Gen.Int[0, 5], Gen.Int[0, Size - 1], Gen.Int[1, 300_000], Gen.Int);
        step.List[1, 20].Holds(
            steps =>
            {
                using LayeredDisk disk = OpenChain(write: true);
                foreach ((int kind, int offset, int asked, int seed) in steps)
                {
                    int length = Math.Min(asked, Size - offset);
                    Span<byte> part = model.AsSpan(offset, length);
                    if (kind == 0)
                    {
                        part.Clear();
                        disk.WriteZeroes(offset, length, ZeroMode.MayUnmap);
                    }
                    else if (kind == 1)
                    {
                        disk.Flush();
                    }
                    else
                    {
                        new Random(seed).NextBytes(part);
                        disk.Write(offset, part);
                    }
                }

                Assert.True(model.AsSpan().SequenceEqual(FormatKit.ReadAll(disk)));
            },
            cases: 4);
        AssertQemuSees(model);
    }

    [Fact]
    public void ACrashKeepsWhatTheBackingFileHolds()
    {
        MemoryLocator start = new() { ["base"] = GuestContent.Make(Size, 2) };
        byte[] guest = start["base"];
        new FormatKit(format, start).Create("overlay", Size, $"backing_file=base,backing_fmt=raw{Options}");
        CrashLocator disk = new(start);
        HashSet<int> touched = [];
        Random random = new(3);
        using (LayeredDisk chain = OpenChain(disk, "overlay", write: true))
        {
            for (int i = 0; i < 6; i++)
            {
                int offset = random.Next(Size / 512) * 512;
                byte[] data = new byte[Math.Min(512 * random.Next(1, 100), Size - offset)];
                random.NextBytes(data);
                chain.Write(offset, data);
                touched.UnionWith(Enumerable.Range(offset / 512, data.Length / 512));
                if (i % 2 == 1)
                {
                    chain.Flush();
                }
            }
        }

        foreach (int instant in disk.FlushPoints)
        {
            for (int seed = 0; seed < 3; seed++)
            {
                using LayeredDisk chain = OpenChain(disk.AfterCrash(instant, seed), "overlay", write: false);
                byte[] seen = FormatKit.ReadAll(chain);
                for (int sector = 0; sector < Size / 512; sector++)
                {
                    bool same = seen.AsSpan(sector * 512, 512).SequenceEqual(guest.AsSpan(sector * 512, 512));
                    Assert.True(same || touched.Contains(sector), $"crash at {instant}, seed {seed}: sector {sector} of the backing file does not show");
                }
            }
        }
    }

    [SkippableFact]
    public void AnEmptiedImageShowsItsBackingFileAndIsAsSmallAsANewOne()
    {
        QemuTools.Require();
        byte[] old = MakeBase();
        FormatKit kit = new(format, new LocalFileLocator());
        kit.Create(this["overlay"], Size, $"backing_file={this["base"]},backing_fmt=raw{Options}");
        long empty = new FileInfo(this["overlay"]).Length;
        using (LayeredDisk chain = OpenChain(write: true))
        {
            chain.Write(12_345, new byte[1_000_000]);
            chain.Flush();
            ((IEmptyable)chain.Top).MakeEmpty();
            Assert.True(old.AsSpan().SequenceEqual(FormatKit.ReadAll(chain)));
            chain.Write(100, old.AsSpan(100, 100));
        }

        AssertQemuSees(old);
        using (LayeredDisk chain = OpenChain(write: true))
        {
            ((IEmptyable)chain.Top).MakeEmpty();
        }

        Assert.Equal(empty, new FileInfo(this["overlay"]).Length);
    }

    protected LayeredDisk OpenChain(bool write = false) => OpenChain(new LocalFileLocator(), this["overlay"], write);

    protected byte[] MakeBase()
    {
        byte[] guest = GuestContent.Make(BaseSize, seed: 1);
        File.WriteAllBytes(this["base"], guest);
        Array.Resize(ref guest, Size);
        return guest;
    }

    protected void AssertQemuSees(byte[] guest)
    {
        File.WriteAllBytes(this["raw"], guest);
        QemuTools.Img("compare", "-f", "raw", "-F", format, this["raw"], this["overlay"]);
        if (format == "qed")
        {
            QemuTools.Img("check", "-f", format, this["overlay"]);
        }
    }

    private LayeredDisk OpenChain(IFileLocator locator, string name, bool write)
    {
        LayeredDisk top = new FormatKit(format, locator).Open(name, write);
        BackingReference backing = top.Top.Backing!;
        string baseName = locator.Combine(name, backing.Name);
        return new LayeredDisk(top.Top, new FormatKit("raw", locator).Open(baseName).Top);
    }

    private sealed class OverlaySource(byte[] guest, long sameFrom, long sameTo, long zeroFrom, long zeroTo) : IConvertSource
    {
        public long VirtualSize => guest.Length;

        public SourceRange Map(long offset, long length)
        {
            foreach ((long from, long to, SourceKind kind) in ((long, long, SourceKind)[])[(sameFrom, sameTo, SourceKind.Same), (zeroFrom, zeroTo, SourceKind.Zero)])
            {
                if (offset < from)
                {
                    return new SourceRange(Math.Min(length, from - offset), SourceKind.Data);
                }

                if (offset < to)
                {
                    return new SourceRange(Math.Min(length, to - offset), kind);
                }
            }

            return new SourceRange(length, SourceKind.Data);
        }

        public void Read(long offset, Span<byte> buffer) => guest.AsSpan((int)offset, buffer.Length).CopyTo(buffer);
    }
}
