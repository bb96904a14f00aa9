using System.Buffers.Binary;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Nbd;
using ImageCluster.Testing;
using ImageCluster.Testing.Nbd;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

/// <summary>Against nbdkit and qemu-nbd.</summary>
public sealed class NbdServerTests
{
    [SkippableTheory]
    [InlineData("")]
    [InlineData("--no-sr")]
    [InlineData("-o")]
    [InlineData("--mask-handshake=0")]
    [InlineData("--mask-handshake=1")]
    [InlineData("--filter=noextents")]
    public void ReadsWhateverTheServerSpeaks(string option)
    {
        const int size = 3_000_000;
        using NbdServer server = NbdServer.Kit([.. option.Split(' ', StringSplitOptions.RemoveEmptyEntries), "pattern", size.ToString()]);
        using IBlockFile file = NbdTestFile.Open(server.Url);
        Assert.Equal(size, file.Length);
        Random random = new(TestSeed.Value);
        for (int i = 0; i < 30; i++)
        {
            long offset = random.Next(size);
            byte[] buffer = new byte[random.Next(i < 5 ? size : 5000)];
            int read = file.Read(offset, buffer);
            Assert.Equal(Math.Min(buffer.Length, size - offset), read);
            CheckPattern(offset, buffer.AsSpan(0, read));
        }

        Assert.Equal(0, file.Read(size, new byte[10]));
    }

    [SkippableTheory]
    [InlineData("memory 1000000", CacheMode.Writeback)]
    [InlineData("--no-sr memory 1000000", CacheMode.Writeback)]
    [InlineData("memory 1000000", CacheMode.Writethrough)]
    [InlineData("--filter=nozero memory 1000000 zeromode=none", CacheMode.Unsafe)]
    [InlineData("--filter=fua memory 1000000", CacheMode.DirectSync)]
    [InlineData("--filter=blocksize-policy memory 1044480 blocksize-minimum=4096 blocksize-maximum=65536 blocksize-error-policy=error", CacheMode.Writeback)]
    [InlineData("--filter=blocksize-policy memory 1044480 blocksize-minimum=512 blocksize-error-policy=error", CacheMode.Writethrough)]
    public void WritesAsTheModelDoes(string arguments, CacheMode cache)
    {
        using NbdServer server = NbdServer.Kit(arguments.Split(' '));
        using IBlockFile file = NbdTestFile.Open(server.Url, write: true, cache);
        byte[] model = new byte[file.Length];
        Random random = new(TestSeed.Value);
        for (int i = 0; i < 150; i++)
        {
            int offset = random.Next(model.Length);
            int length = Math.Min(random.Next(random.Next(4) == 0 ? 200_000 : 9000), model.Length - offset);
            if (random.Next(3) == 0)
            {
                (offset, length) = (offset & -4096, length & -4096);
            }

            switch (random.Next(5))
            {
                case 0:
                    file.WriteZeroes(offset, length, random.Next(2) == 0 ? ZeroMode.MayUnmap : ZeroMode.KeepAllocated);
                    model.AsSpan(offset, length).Clear();
                    break;
                case 1:
                    byte[] read = new byte[length];
                    Assert.Equal(length, file.Read(offset, read));
                    Assert.True(model.AsSpan(offset, length).SequenceEqual(read), $"seed {TestSeed.Value}, step {i}: {length} bytes at {offset}");
                    break;
                case 2:
                    CheckStatus(file, model, offset);
                    file.Flush();
                    break;
                default:
                    byte[] data = new byte[length];
                    random.NextBytes(data);
                    file.Write(offset, data);
                    data.CopyTo(model, offset);
                    break;
            }
        }

        byte[] all = new byte[model.Length];
        Assert.Equal(all.Length, file.Read(0, all));
        Assert.True(model.AsSpan().SequenceEqual(all), $"seed {TestSeed.Value}");
    }

    [SkippableFact]
    public void HolesAreTold()
    {
        using TempDirectory directory = new();
        using (IBlockFile made = new LocalFileLocator().Create(directory["disk"], 8 << 20, OpenMode.ReadWrite))
        {
            made.Write(1 << 20, Enumerable.Repeat((byte)1, 1 << 20).ToArray());
            made.Write(5 << 20, Enumerable.Repeat((byte)1, 1 << 16).ToArray());
        }

        using NbdServer server = NbdServer.Kit("-r", "file", directory["disk"]);
        using IBlockFile local = new LocalFileLocator().Open(directory["disk"], OpenMode.ReadOnly);
        using IBlockFile file = NbdTestFile.Open(server.Url);
        for (long at = 0; at < file.Length;)
        {
            (long length, bool isHole) = file.NextRange(at, file.Length - at);
            Assert.Equal(local.NextRange(at, file.Length - at), (length, isHole));
            Assert.True(length >= 1);
            at += length;
        }

        Assert.Equal((100, true), file.NextRange(0, 100));
    }

    [SkippableFact]
    public void ZerosThatAreAllocatedAreNoHoles()
    {
        using TempDirectory directory = new();
        File.WriteAllText(directory["extents"], "0 64K\n64K 64K zero\n128K 64K hole\n192K 1M hole,zero\n");
        using NbdServer server = NbdServer.Kit("--filter=extentlist", "memory", "1M", $"extentlist={directory["extents"]}");
        using var file = (NbdFile)NbdTestFile.Open(server.Url);
        Assert.Equal(new AllocationRange(64 << 10, IsAllocated: true, IsZero: false), file.NextStatus(0, 64 << 10));
        Assert.Equal(new AllocationRange(64 << 10, IsAllocated: true, IsZero: true), file.NextStatus(64 << 10, 64 << 10));
        Assert.Equal(new AllocationRange(64 << 10, IsAllocated: false, IsZero: false), file.NextStatus(128 << 10, 64 << 10));
        Assert.Equal((64 << 10, false), file.NextRange(64 << 10, 64 << 10));
        Assert.Equal((64 << 10, false), file.NextRange(128 << 10, 64 << 10));
        Assert.Equal((832 << 10, true), file.NextRange(192 << 10, 832 << 10));
    }

    [SkippableTheory]
    [InlineData("EIO", ImageErrorKind.Io, 5)]
    [InlineData("ENOSPC", ImageErrorKind.NoSpace, 28)]
    [InlineData("EPERM", ImageErrorKind.Io, 1)]
    public void TheServersErrorsHaveAName(string error, ImageErrorKind kind, int errno)
    {
        using NbdServer server = NbdServer.Kit("--filter=error", "memory", "4M", "error-rate=100%", "error=" + error);
        using IBlockFile file = NbdTestFile.Open(server.Url, write: true);
        byte[] buffer = new byte[3 << 20];
        foreach (Action action in new Action[] { () => file.Read(0, buffer), () => file.Write(0, buffer), () => file.WriteZeroes(0, 4096, ZeroMode.MayUnmap), () => file.NextRange(0, 1) })
        {
            ImageException e = Assert.Throws<ImageException>(action);
            Assert.Equal((kind, errno), (e.Kind, e.Errno));
            Assert.StartsWith("Could not ", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', e.Message);
        }
    }

    [SkippableFact]
    public void AReadOnlyExportIsNotOpenedForWriting()
    {
        using NbdServer server = NbdServer.Kit("-r", "memory", "1M");
        Assert.Equal("Could not open image: Permission denied", Assert.Throws<ImageException>(() => NbdTestFile.Open(server.Url, write: true)).Message);
        using IBlockFile file = NbdTestFile.Open(server.Url);
        Assert.Throws<ImageException>(() => file.Write(0, [1]));
    }

    [SkippableFact]
    public void AnExportThatIsNotThereIsNamed()
    {
        using TempDirectory directory = new();
        File.WriteAllBytes(directory["disk"], new byte[512]);
        using NbdServer server = NbdServer.Qemu(directory["disk"], "raw", "-x", "there");
        NbdTestFile.Open($"nbd+unix:///there?socket={server.SocketPath}").Dispose();
        ImageException e = Assert.Throws<ImageException>(() => NbdTestFile.Open(server.Url));
        Assert.Equal("Requested export not available", e.Message);
        Assert.Equal("server reported: export '' not present", e.Hint);
        Assert.False(NbdTestFile.Locator().Exists(server.Url));
        Assert.True(NbdTestFile.Locator().Exists($"nbd+unix:///there?socket={server.SocketPath}"));
    }

    [SkippableFact]
    public void AnExportKeepsItsSize()
    {
        using NbdServer server = NbdServer.Kit("memory", "1M");
        using IBlockFile file = NbdTestFile.Open(server.Url, write: true);
        Assert.False(file.CanResize);
        file.SetLength(1000);
        Assert.Equal(1 << 20, file.Length);
        Assert.Equal("Cannot grow NBD nodes", Assert.Throws<ImageException>(() => file.SetLength((1 << 20) + 1)).Message);
        Assert.Equal(ImageErrorKind.NoSpace, Assert.Throws<ImageException>(() => file.Write((1 << 20) - 1, [1, 2])).Kind);
    }

    [SkippableFact]
    public void FastZeroIsUsedOnlyWhereItIsFast()
    {
        using NbdServer fast = NbdServer.Kit("memory", "100M");
        using (var file = (NbdFile)NbdTestFile.Open(fast.Url, write: true))
        {
            file.Write(50 << 20, [1, 2, 3]);
            Assert.True(file.TryZeroFast(0, file.Length));
            byte[] buffer = new byte[3];
            file.Read(50 << 20, buffer);
            Assert.Equal([0, 0, 0], buffer);
        }

        using NbdServer slow = NbdServer.Kit("--filter=nozero", "memory", "1M", "zeromode=emulate", "fastzeromode=slow");
        using var other = (NbdFile)NbdTestFile.Open(slow.Url, write: true);
        other.Write(0, [1]);
        Assert.False(other.TryZeroFast(0, other.Length));
        byte[] first = new byte[1];
        other.Read(0, first);
        Assert.Equal([1], first);
    }

    private static void CheckPattern(long offset, ReadOnlySpan<byte> data)
    {
        Span<byte> word = stackalloc byte[8];
        for (int i = 0; i < data.Length; i++)
        {
            long at = offset + i;
            BinaryPrimitives.WriteInt64BigEndian(word, at & ~7L);
            if (data[i] != word[(int)(at & 7)])
            {
                Assert.Fail($"wrong byte at {at}");
            }
        }
    }

    // What is called zero is zero.
    private static void CheckStatus(IBlockFile file, byte[] model, int offset)
    {
        (long length, bool isHole) = file.NextRange(offset, model.Length - offset);
        Assert.InRange(length, 1, model.Length - offset);
        Assert.True(!isHole || !model.AsSpan(offset, (int)length).ContainsAnyExcept((byte)0));
    }
}
