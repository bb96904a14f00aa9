using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.BlockTables;

/// <summary>Makes, fills, opens and reads images of one format, here and by qemu-img.</summary>
/// <remarks>
/// Without locks: a test that starts a program in one thread would for an instant hold, in the forked process, the locks that
/// another test has just given up.
/// </remarks>
public sealed class FormatKit(string formatName, IFileLocator locator)
{
    public ImageFormat Format { get; } = FormatRegistry.Find(formatName)!;

    /// <summary>Passwords by QEMU's option name.</summary>
    public Func<string, byte[]?> Secret { get; init; } = static _ => null;

    public LayeredDisk Open(string name, bool write = false, bool forCheck = false)
    {
        OpenMode mode = new() { Write = write, Lock = ImageLock.None };
        return new LayeredDisk(Format.Open(new OpenContext
        {
            File = locator.Open(name, mode),
            FileName = name,
            Locator = locator,
            Mode = mode,
            ForCheck = forCheck,
            Secret = Secret,
        }));
    }

    public CreateRequest Request(string name, long size, string options) => new()
    {
        FileName = name,
        Locator = locator,
        VirtualSize = size,
        Options = Parse(options),
        Mode = new OpenMode { Write = true, Lock = ImageLock.None },
        Secret = Secret,
    };

    public void Create(string name, long size, string options = "") => Format.Create(Request(name, size, options));

    /// <summary>Converts guest bytes into a new image.</summary>
    public void Fill(string name, byte[] guest, string options = "", int threads = 2, int sparse = 4096)
    {
        using IFillTarget target = Format.CreateFill(Request(name, guest.Length, options));
        Convert(guest, target, threads, sparse);
    }

    /// <summary>Converts guest bytes into a target and finishes it.</summary>
    public static void Convert(byte[] guest, IFillTarget target, int threads, int sparse = 4096)
    {
        new Converter(new BytesSource(guest), target, new ConvertOptions { Threads = threads, SparseSize = sparse }).Run(CancellationToken.None);
        target.Finish();
    }

    public static byte[] ReadAll(LayeredDisk disk)
    {
        byte[] bytes = new byte[disk.VirtualSize];
        disk.Read(0, bytes);
        return bytes;
    }

    /// <summary>Reads every mapped range by its extents as a conversion does, and checks what map promises.</summary>
    public static byte[] ReadByExtents(LayeredDisk disk)
    {
        byte[] bytes = new byte[disk.VirtualSize];
        long at = 0;
        foreach (DiskExtent extent in disk.MapRange(0, disk.VirtualSize))
        {
            Assert.Equal(at, extent.Extent.Start);
            Assert.InRange(extent.Extent.Length, 1, disk.VirtualSize - at);
            disk.Read(extent, bytes.AsSpan((int)at, (int)extent.Extent.Length));
            at = extent.Extent.End;
        }

        Assert.Equal(disk.VirtualSize, at);
        return bytes;
    }

    /// <summary>Lets qemu-img convert a raw file.</summary>
    public void QemuMake(string raw, string image, string options) =>
        QemuTools.Img(["convert", "-f", "raw", "-O", formatName, .. options.Length > 0 ? ["-o", options] : Array.Empty<string>(), raw, image]);

    public static IReadOnlyDictionary<string, string> Parse(string options) => options
        .Split(',', StringSplitOptions.RemoveEmptyEntries)
        .Select(option => option.Split('=', 2))
        .ToDictionary(pair => pair[0], pair => pair[1]);

    private sealed class BytesSource(byte[] bytes) : IConvertSource
    {
        public long VirtualSize => bytes.Length;

        public SourceRange Map(long offset, long length) => new(length, SourceKind.Data);

        public void Read(long offset, Span<byte> buffer) => bytes.AsSpan((int)offset, buffer.Length).CopyTo(buffer);
    }
}
