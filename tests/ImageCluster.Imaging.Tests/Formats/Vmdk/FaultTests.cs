using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Formats.Vmdk;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Vmdk;

/// <summary>Storage that fails: what was not refused is there afterwards, and a target that was not finished is no image.</summary>
public sealed class FaultTests
{
    private const int Grain = 65536;
    private const int Size = 20 * Grain;
    private const int Sectors = Size / 512;
    private const short Unknown = -1;

    [Theory]
    [InlineData("monolithicSparse", StorageCall.Write)]
    [InlineData("monolithicSparse", StorageCall.Flush)]
    [InlineData("monolithicSparse,zeroed_grain=on", StorageCall.Write)]
    [InlineData("monolithicSparse,zeroed_grain=on", StorageCall.Flush)]
    [InlineData("monolithicFlat", StorageCall.Write)]
    public void After_a_failure_the_image_goes_on(string options, StorageCall call)
    {
        bool fired = true;
        for (int n = 1; fired; n++)
        {
            MemoryLocator files = new();
            new VmdkFormat().Create(FillTests.Request(files, "disk.vmdk", Size, options));
            FaultPlan plan = FaultPlan.FailCall(call, n, torn: n % 2 == 0);
            short[] model = new short[Sectors];
            LayeredDisk disk = WriterTests.Open(FakeLocator.Failing(files, plan), "disk.vmdk");
            Change(disk, model, n);
            Try(disk.Dispose);
            fired = plan.Fired;
            Verify(files, model, $"call {n}");
        }
    }

    [Theory]
    [MemberData(nameof(VmdkImages.SubformatData), MemberType = typeof(VmdkImages))]
    public void A_target_that_fails_is_no_image_or_a_whole_one(string subformat)
    {
        byte[] guest = VmdkImages.Guest(3 << 20, 5);
        foreach (StorageCall call in (StorageCall[])[StorageCall.Write, StorageCall.Flush])
        {
            bool fired = true;
            for (int n = 1; fired; n++)
            {
                MemoryLocator files = new();
                MemoryLocator sources = new() { ["source.raw"] = guest };
                FaultPlan plan = FaultPlan.DieAt(call, n, torn: n % 2 == 0);
                Try(() =>
                {
                    using IFillTarget target = new VmdkFormat().CreateFill(FillTests.Request(FakeLocator.Failing(files, plan), "disk.vmdk", guest.Length, subformat));
                    FillTests.Converter(sources, "source.raw", target, 2).Run(CancellationToken.None);
                    target.Finish();
                });
                fired = plan.Fired;
                if (!files.Exists("disk.vmdk"))
                {
                    continue;
                }

                try
                {
                    using LayeredDisk disk = new(VmdkImages.Open(files, "disk.vmdk"));
                    VmdkImages.AssertSame(guest, VmdkImages.ReadAll(disk), $"{call} {n}:");
                }
                catch (ImageException) when (fired)
                {
                    // No image.
                }
            }
        }
    }

    [Fact]
    public void A_full_disk_is_named()
    {
        byte[] guest = VmdkImages.Guest(3 << 20, 5);
        MemoryLocator files = new();
        MemoryLocator sources = new() { ["source.raw"] = guest };
        using IFillTarget target = new VmdkFormat().CreateFill(
            FillTests.Request(FakeLocator.Failing(files, FaultPlan.FullAfter(500_000)), "disk.vmdk", guest.Length, "monolithicSparse"));
        ImageException error = VmdkImages.Fails(() => FillTests.Converter(sources, "source.raw", target, 2).Run(CancellationToken.None));
        Assert.Equal(ImageErrorKind.NoSpace, error.Kind);
        Assert.Equal("disk.vmdk", error.File);
    }

    private static void Change(LayeredDisk disk, short[] model, int seed)
    {
        Random random = new(seed % 3);
        for (short value = 1; value < 16; value++)
        {
            int first = random.Next(Sectors);
            int count = Math.Min(Sectors - first, random.Next(2) == 0 ? random.Next(1, 16) : random.Next(1, 400));
            bool zeros = random.Next(4) == 0;
            byte[] data = new byte[count * 512];
            data.AsSpan().Fill(zeros ? (byte)0 : (byte)value);
            bool done = Try(() =>
            {
                if (zeros)
                {
                    disk.WriteZeroes(first * 512L, data.Length, ZeroMode.MayUnmap);
                }
                else
                {
                    disk.Write(first * 512L, data);
                }
            });
            model.AsSpan(first, count).Fill(done ? data[0] : Unknown);
            if (random.Next(3) == 0)
            {
                Try(disk.Flush);
            }
        }
    }

    private static bool Try(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (ImageException e)
        {
            Assert.Contains("Injected failure", e.Message, StringComparison.Ordinal);
            return false;
        }
    }

    private static void Verify(MemoryLocator files, short[] model, string what)
    {
        using LayeredDisk disk = WriterTests.Open(files, "disk.vmdk");
        Assert.Empty(((Reader)disk.Top).Check(0).Messages);
        byte[] bytes = VmdkImages.ReadAll(disk);
        for (int sector = 0; sector < Sectors; sector++)
        {
            ReadOnlySpan<byte> content = bytes.AsSpan(sector * 512, 512);
            if (model[sector] != Unknown)
            {
                Assert.True(content.IndexOfAnyExcept((byte)model[sector]) < 0, $"{what}: sector {sector} holds {content[0]}, not {model[sector]}");
            }
        }
    }
}
