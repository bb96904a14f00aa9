using System.Globalization;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Formats.Raw;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>An image with its backing file, open for writing, beside the bytes that its guest should see.</summary>
internal sealed class WriterModel : IDisposable
{
    private readonly string _path;
    private readonly string? _backing;
    private readonly byte[] _below;
    private readonly Random _random;
    private LayeredDisk? _disk;

    public WriterModel(string path, string? backing, byte[] content, byte[] below, Random random)
    {
        _path = path;
        _backing = backing;
        Content = content;
        _below = below;
        _random = random;
    }

    public byte[] Content { get; set; }

    public bool CanCompress { get; init; } = true;

    public bool CanSnapshot { get; init; }

    public bool CanResize { get; init; }

    /// <summary>What the guest would see in each snapshot.</summary>
    private readonly Dictionary<string, byte[]> _snapshots = [];

    private int _nextSnapshot;

    public LayeredDisk Disk => _disk ??= Open();

    public WritableQcow2Image Image => (WritableQcow2Image)Disk.Top;

    public List<string> Log { get; } = [];

    /// <summary>One operation of any kind; <paramref name="qemu"/>: now and then QEMU's tools write instead.</summary>
    public void Step(bool qemu)
    {
        int start = _random.Next(Content.Length);
        int length = Math.Min(Content.Length - start, _random.Next(1, _random.Next(8) == 0 ? 700_000 : 20_000));
        byte[] data = new byte[length];
        if (_random.Next(3) == 0)
        {
            _random.NextBytes(data);
        }
        else
        {
            data.AsSpan().Fill((byte)_random.Next(1, 256));
        }

        int unit = (int)Image.Granularity;
        if (_random.Next(12) == 0 && (CanSnapshot || CanResize))
        {
            ChangeAll();
            return;
        }

        switch (_random.Next(qemu ? 12 : 11))
        {
            case 0 or 1 or 2 or 3:
                Log.Add($"write {start} {length}");
                Disk.Write(start, data);
                data.CopyTo(Content.AsSpan(start));
                break;
            case 4 or 5:
                ZeroMode mode = (ZeroMode)_random.Next(2);
                Log.Add($"zero {start} {length} {mode}");
                Disk.WriteZeroes(start, length, mode);
                Content.AsSpan(start, length).Clear();
                break;
            case 6:
                Discard(start, length);
                break;
            case 7 or 8 when CanCompress:
                int cluster = Image.Metadata.Layout.ClusterSize;
                start = start / cluster * cluster;
                length = Math.Min(Content.Length - start, (length + cluster - 1) / cluster * cluster);
                Array.Resize(ref data, length);
                Log.Add($"compress {start} {length}");
                Image.WriteCompressed(start, data);
                data.CopyTo(Content.AsSpan(start));
                break;
            case 9:
                Log.Add("flush");
                Disk.Flush();
                break;
            case 10:
                Log.Add("reopen");
                Close();
                break;
            case 11:
                QemuWrites(start / unit * unit, length);
                break;
            default:
                break;
        }
    }

    /// <summary>Reads all of it back, through the open image and, closed, with QEMU; and checks it.</summary>
    public void Verify(string rawPath)
    {
        byte[] back = new byte[Content.Length];
        Disk.Read(0, back);
        AssertContent(back);
        Close();
        string report = CheckedByQemu();
        File.WriteAllBytes(rawPath, Content);
        ToolResult compare = QemuTools.TryImg("compare", "-f", "qcow2", "-F", "raw", _path, rawPath);
        Assert.True(compare.ExitCode == 0, $"{compare.Output}{compare.Error}\n{report}\n{string.Join('\n', Log)}");
        VerifySnapshots(rawPath);
        Disk.Read(0, back);
        AssertContent(back);
    }

    public string CheckedByQemu()
    {
        ToolResult check = QemuTools.TryImg("check", "-f", "qcow2", _path);
        Assert.True(check.ExitCode == 0, $"qemu-img check: {check.Output}{check.Error}\n{string.Join('\n', Log)}");
        return check.Output;
    }

    public void Close()
    {
        _disk?.Dispose();
        _disk = null;
    }

    public void Dispose() => Close();

    private void AssertContent(byte[] actual)
    {
        int at = Content.AsSpan().CommonPrefixLength(actual);
        Assert.True(at == Content.Length, $"first difference at {at} (0x{at:x})\n{string.Join('\n', Log)}");
    }

    private void Discard(int start, int length)
    {
        Log.Add($"discard {start} {length}");
        Image.Discard(start, length);
        int cluster = Image.Metadata.Layout.ClusterSize;
        int from = (start + cluster - 1) / cluster * cluster;
        int to = start + length == Content.Length ? Content.Length : (start + length) / cluster * cluster;
        for (int i = from; i < to; i++)
        {
            Content[i] = i < _below.Length ? _below[i] : (byte)0;
        }
    }

    private void ChangeAll()
    {
        int what = _random.Next(5);
        if (CanResize && (what == 0 || !CanSnapshot))
        {
            // A disk that gets longer than it ever was has zeros there: no backing file in these rounds.
            int size = Math.Max(512, (Content.Length + _random.Next(-300_000, 300_000)) / 512 * 512);
            string preallocation = size > Content.Length && _random.Next(3) == 0 ? "metadata" : "off";
            Log.Add($"resize {Content.Length} to {size} {preallocation}");
            Image.Resize(size, preallocation);
            byte[] content = Content;
            Array.Resize(ref content, size);
            Content = content;
        }
        else if (what < 3 || _snapshots.Count == 0)
        {
            string name = $"s{_nextSnapshot++}";
            if (_random.Next(3) == 0)
            {
                Log.Add($"qemu snapshot {name}");
                Close();
                QemuTools.Img("snapshot", "-c", name, _path);
            }
            else
            {
                Log.Add($"snapshot {name}");
                Image.CreateSnapshot(new ImageSnapshot { Id = "", Name = name, DateSeconds = 1_700_000_000 });
            }

            _snapshots.Add(name, (byte[])Content.Clone());
        }
        else
        {
            string name = _snapshots.Keys.ElementAt(_random.Next(_snapshots.Count));
            string id = Image.ListSnapshots().Single(snapshot => snapshot.Name == name).Id;
            if (what == 3)
            {
                Log.Add($"apply {name}");
                Image.ApplySnapshot(id);
                Content = (byte[])_snapshots[name].Clone();
            }
            else
            {
                Log.Add($"delete {name}");
                Image.DeleteSnapshot(id);
                _snapshots.Remove(name);
            }
        }
    }

    /// <summary>Reads every snapshot, as QEMU has it.</summary>
    private void VerifySnapshots(string rawPath)
    {
        foreach ((string name, byte[] content) in _snapshots)
        {
            File.Delete(rawPath);
            QemuTools.Img("convert", "-l", name, "-O", "raw", _path, rawPath);

            // It converts a snapshot at the size that the disk has now.
            byte[] converted = File.ReadAllBytes(rawPath);
            int common = Math.Min(converted.Length, content.Length);
            Assert.True(converted.AsSpan(0, common).SequenceEqual(content.AsSpan(0, common)), $"snapshot {name}\n{string.Join('\n', Log)}");
        }
    }

    private void QemuWrites(int start, int length)
    {
        Close();
        int pattern = _random.Next(1, 256);
        string command = _random.Next(3) switch
        {
            0 => "write -z",
            1 => "write -z -u",
            _ => string.Create(CultureInfo.InvariantCulture, $"write -P {pattern}"),
        };
        Log.Add($"qemu {command} {start} {length}");
        QemuTools.Io(_path, "qcow2", string.Create(CultureInfo.InvariantCulture, $"{command} {start} {length}"));
        Content.AsSpan(start, length).Fill(command.Contains('P', StringComparison.Ordinal) ? (byte)pattern : (byte)0);
    }

    private LayeredDisk Open()
    {
        LocalFileLocator locator = Qcow2TestImages.Locator;
        List<IImageLayer> layers = [OpenForWriting(_path)];
        if (_backing is not null)
        {
            layers.Add(new RawFormat().Open(new OpenContext { File = locator.Open(_backing, OpenMode.ReadOnly), FileName = _backing, Locator = locator }));
        }

        return new LayeredDisk(layers);
    }

    public static IImageLayer OpenForWriting(string path) => new Qcow2Format().Open(new OpenContext
    {
        File = Qcow2TestImages.Locator.Open(path, OpenMode.ReadWrite),
        FileName = path,
        Locator = Qcow2TestImages.Locator,
        Mode = OpenMode.ReadWrite,
    });
}
