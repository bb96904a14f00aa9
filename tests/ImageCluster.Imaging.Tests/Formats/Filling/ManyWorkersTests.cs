using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Filling;

/// <summary>
/// Targets of every format filled as a cluster fills them: shards by several openings in any order, each in room of its own, attempts that are lost, an
/// owner that starts anew and hears some things twice; on files, and on devices full of something else.
/// </summary>
public sealed class ManyWorkersTests : IDisposable
{
    private const long Size = (1200L << 20) + 512;

    private readonly TempDirectory _directory = new();

    public static TheoryData<string, string> Targets => new()
    {
        { "raw", "" },
        { "vdi", "static=on" },
        { "vpc", "" },
        { "vpc", "subformat=fixed,force_size=on" },
        { "vhdx", "block_size=1M" },
        { "vhdx", "subformat=fixed" },
        { "qcow", "" },
        { "parallels", "" },
        { "parallels", "cluster_size=64k" },
        { "vmdk", "" },
        { "vmdk", "subformat=monolithicFlat" },
    };

    /// <summary>What a device can hold: vpc's fixed disks and vmdk's flat ones need files of a length of their own.</summary>
    public static TheoryData<string, string> DeviceTargets => new()
    {
        { "raw", "" },
        { "vdi", "" },
        { "vdi", "static=on" },
        { "vpc", "" },
        { "vhdx", "block_size=1M" },
        { "vhdx", "subformat=fixed" },
        { "qcow", "" },
        { "qed", "" },
        { "parallels", "cluster_size=64k" },
        { "vmdk", "" },
        { "qcow2", "" },
    };

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [MemberData(nameof(Targets))]
    public void ShardsOfManyWorkersMakeAGoodImage(string format, string options)
    {
        QemuTools.Require();
        FormatKit kit = new(format, new LocalFileLocator());
        string image = _directory["image"];
        Random random = new(format.Length + (17 * options.Length));
        SparseModel content = new(Size, random);
        Fill(kit.Format, kit.Request(image, Size, options), content, random);
        using (LayeredDisk disk = kit.Open(image))
        {
            content.AssertSame(disk);
        }

        content.WriteRaw(_directory["raw"]);
        ToolResult compared = QemuTools.TryImg("compare", "-f", "raw", "-F", format, _directory["raw"], image);
        Assert.True(compared.ExitCode == 0, compared.Output + compared.Error);
        ToolResult check = QemuTools.TryImg("check", "-f", format, image);
        Assert.True(check.ExitCode is 0 or 63, check.Output + check.Error);
    }

    /// <summary>Those whose check counts what nothing refers to go to one worker, who leaves no gaps.</summary>
    [Theory]
    [InlineData("vdi")]
    [InlineData("qed")]
    public void FormatsThatBearNoGapsAreFilledByOneWorker(string format)
    {
        using IFillTarget target = new FormatKit(format, new MemoryLocator()).Format.CreateFill(new FormatKit(format, new MemoryLocator()).Request("a", Size, ""));
        Assert.False(target.ShardsIndependent);
    }

    [SkippableTheory]
    [MemberData(nameof(DeviceTargets))]
    public void DevicesFullOfSomethingElseBecomeImages(string format, string options)
    {
        QemuTools.Require();
        const int DeviceSize = 24 << 20;
        const int GuestSize = (9 << 20) + 512;
        DeviceLocator devices = new(DeviceSize);
        FormatKit kit = new(format, devices);
        byte[] guest = GuestContent.Make(GuestSize, format.Length + options.Length, 300_000);
        using (IFillTarget target = kit.Format.CreateFill(kit.Request("disk", GuestSize, options)))
        {
            FormatKit.Convert(guest, target, threads: 2);
        }

        using (LayeredDisk disk = kit.Open("disk"))
        {
            byte[] read = FormatKit.ReadAll(disk);
            Assert.True(guest.AsSpan().SequenceEqual(read.AsSpan(0, GuestSize)));
        }

        Assert.Equal(DeviceSize, devices.Content.Length);
        File.WriteAllBytes(_directory["disk"], devices.Content);
        File.WriteAllBytes(_directory["raw"], guest);
        if (format != "raw")
        {
            ToolResult compared = QemuTools.TryImg("compare", "-f", "raw", "-F", format, _directory["raw"], _directory["disk"]);
            Assert.True(compared.ExitCode == 0, compared.Output + compared.Error);
        }
    }

    private static void Fill(ImageCluster.Imaging.Formats.ImageFormat format, ImageCluster.Imaging.Formats.CreateRequest request, SparseModel content, Random random)
    {
        List<ShardManifest> journal = [];
        long highWater;
        bool handsOut;
        using (IFillTarget owner = format.CreateFill(request))
        {
            owner.Flush();
            Assert.True(owner.ShardsIndependent);
            handsOut = owner.ReservesRoom && owner.Room is not NoRoom;
            highWater = owner.Room.HighWater;
        }

        using (IFillTarget one = format.OpenFill(request))
        using (IFillTarget two = format.OpenFill(request))
        {
            long[] shards = [.. Enumerable.Range(0, (int)((Size + one.ShardLength - 1) / one.ShardLength)).Select(static i => (long)i)];
            random.Shuffle(shards);
            foreach (long shard in shards)
            {
                for (bool lost = true; lost;)
                {
                    IFillTarget worker = random.Next(2) == 0 ? one : two;
                    IRoom room = handsOut ? new BatchRoom(() => highWater, reserved => highWater = reserved) : worker.Room;
                    ShardManifest? manifest = content.FillShard(worker, shard, room);
                    lost = random.Next(3) == 0;
                    if (manifest is not null && !lost)
                    {
                        worker.Flush();
                        journal.Add(manifest);
                    }
                }
            }
        }

        using IFillTarget finisher = format.OpenFill(request);
        foreach (ShardManifest manifest in journal.Concat(journal.Take(2)))
        {
            finisher.Publish(manifest);
        }

        if (handsOut)
        {
            finisher.Room.SkipTo(journal.SelectMany(static m => m.Rooms).Max(static r => r.Start + r.Length));
        }

        finisher.Finish();
    }

    /// <summary>One device of a fixed length, which holds anything but zeros.</summary>
    private sealed class DeviceLocator : IFileLocator
    {
        private readonly MemoryLocator _files = new();

        public DeviceLocator(int length)
        {
            byte[] old = new byte[length];
            new Random(1).NextBytes(old);
            _files["disk"] = old;
        }

        public byte[] Content => _files["disk"];

        public IBlockFile Open(string name, OpenMode mode) => new DeviceFile(_files.Open(name, mode));

        // As of a device: what was there stays, but for the first sector.
        public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
        {
            IBlockFile file = Open(name, mode with { Write = true });
            file.WriteZeroes(0, 512, ZeroMode.MayUnmap);
            return length <= file.Length ? file : throw new ImageException(ImageErrorKind.NoSpace, name, "Cannot grow device files");
        }

        public bool Exists(string name) => _files.Exists(name);

        public string Combine(string referrer, string reference) => _files.Combine(referrer, reference);

        public string Canonical(string name) => _files.Canonical(name);

        public void Delete(string name)
        {
        }
    }

    private sealed class DeviceFile(IBlockFile inner) : DelegatingFile(inner)
    {
        public override bool CanResize => false;

        // Less than it has is taken without effect.
        public override void SetLength(long length)
        {
            if (length > Inner.Length)
            {
                throw new ImageException(ImageErrorKind.NoSpace, Name, "Cannot grow device files");
            }
        }

        protected override void Before(StorageCall call, long offset, ReadOnlySpan<byte> data)
        {
            long end = call switch
            {
                StorageCall.Allocate => long.MaxValue,
                StorageCall.Write => offset + data.Length,
                _ => 0,
            };
            if (end > Inner.Length)
            {
                throw new ImageException(ImageErrorKind.NoSpace, Name, "No space left on device");
            }
        }
    }
}
