using System.Globalization;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>An image whose bitmaps, size and guest bytes are changed by us and by QEMU's tools in turn, beside what its bitmaps should be.</summary>
internal sealed class BitmapModel(string path, int size, Random random) : IDisposable
{
    private static readonly string[] Names = ["a", "b", "c", "long name with spaces", "ä"];

    private readonly SortedDictionary<string, Bitmap> _bitmaps = new(StringComparer.Ordinal);
    private LayeredDisk? _disk;
    private int _size = size;

    public bool CanSnapshot { get; init; }

    public List<string> Log { get; } = [];

    private LayeredDisk Disk => _disk ??= new LayeredDisk(WriterModel.OpenForWriting(path));

    private WritableQcow2Image Image => (WritableQcow2Image)Disk.Top;

    /// <summary>One change of any kind, by us or by QEMU.</summary>
    public void Step()
    {
        bool theirs = random.Next(2) == 0;
        if (theirs)
        {
            Close();
        }

        switch (random.Next(12))
        {
            case 0 or 1: Add(theirs); break;
            case 2: Remove(theirs); break;
            case 3: Clear(theirs); break;
            case 4: Enable(theirs); break;
            case 5 or 6: Merge(theirs); break;
            case 7: Resize(theirs); break;
            case 8 when CanSnapshot: Snapshot(theirs); break;
            case 9: Flush(); break;
            default: Write(theirs); break;
        }
    }

    /// <summary>The bitmaps as we have them, open or closed, and as QEMU lists and checks them.</summary>
    public void Verify()
    {
        Assert.Equal(Expected(), Sorted(BitmapText.Of(Image)));
        Close();
        Assert.Equal(Expected(), Sorted(BitmapText.Of(path)));
        ToolResult check = QemuTools.TryImg("check", "-f", "qcow2", path);
        Assert.True(check.ExitCode == 0, check.Output + check.Error);
        string info = QemuTools.Img("info", "--output=json", path);
        Assert.All(_bitmaps.Values, bitmap => Assert.Contains($"\"granularity\": {bitmap.Granularity}", info));
        Assert.DoesNotContain("in-use", info);
        Assert.Equal(_bitmaps.Values.Count(bitmap => bitmap.Enabled), info.Split("\"auto\"").Length - 1);
    }

    public void Close()
    {
        _disk?.Dispose();
        _disk = null;
    }

    public void Dispose() => Close();

    private void Add(bool theirs)
    {
        if (Pick(present: false) is not { } name)
        {
            return;
        }

        int granularity = 512 << random.Next(14);
        bool enabled = random.Next(3) > 0;
        Do(theirs, $"add {name} {granularity} {enabled}",
            () => Image.AddBitmap(name, granularity, enabled),
            ["bitmap", "--add", "-g", Text(granularity), .. enabled ? Array.Empty<string>() : ["--disable"], path, name]);
        _bitmaps.Add(name, new Bitmap(granularity, enabled, _size));
    }

    private void Remove(bool theirs)
    {
        if (Pick() is { } name)
        {
            Do(theirs, $"remove {name}", () => Image.RemoveBitmap(name), ["bitmap", "--remove", path, name]);
            _bitmaps.Remove(name);
        }
    }

    private void Clear(bool theirs)
    {
        if (Pick() is { } name)
        {
            Do(theirs, $"clear {name}", () => Image.ClearBitmap(name), ["bitmap", "--clear", path, name]);
            Array.Clear(_bitmaps[name].Bits);
        }
    }

    private void Enable(bool theirs)
    {
        if (Pick() is { } name)
        {
            bool enable = random.Next(2) == 0;
            Do(theirs, $"enable {name} {enable}", () => Image.EnableBitmap(name, enable), ["bitmap", enable ? "--enable" : "--disable", path, name]);
            _bitmaps[name].Enabled = enable;
        }
    }

    private void Merge(bool theirs)
    {
        if (Pick() is { } from && Pick() is { } to)
        {
            Do(theirs, $"merge {from} into {to}", () => Image.MarkBitmap(to, Image.ReadBitmap(from)), ["bitmap", "--merge", from, path, to]);
            foreach ((int offset, int length) in _bitmaps[from].Ranges(_size).ToList())
            {
                _bitmaps[to].Mark(offset, length);
            }
        }
    }

    private void Resize(bool theirs)
    {
        int size = Math.Max(512, (_size + random.Next(-2_000_000, 2_000_000)) / 512 * 512);
        Do(theirs, $"resize {_size} to {size}", () => Image.Resize(size, "off"), ["resize", "-q", "--shrink", "-f", "qcow2", path, Text(size)]);
        _size = size;
        foreach (Bitmap bitmap in _bitmaps.Values)
        {
            bitmap.Resize(size);
        }
    }

    private void Snapshot(bool theirs)
    {
        Do(theirs, "snapshot", () => Image.CreateSnapshot(new ImageSnapshot { Id = "", Name = "s" }), ["snapshot", "-c", "s", path]);
        Close();
        QemuTools.Img("snapshot", "-d", "s", path);
    }

    private void Flush()
    {
        Log.Add("flush");
        Image.Flush();
    }

    private void Write(bool theirs)
    {
        bool all = random.Next(12) == 0;
        int start = all ? 0 : random.Next(_size / 512) * 512;
        int length = all ? _size : Math.Min(_size - start, random.Next(1, 400) * 512);
        bool zero = random.Next(3) == 0;
        Log.Add(string.Create(CultureInfo.InvariantCulture, $"{(theirs ? "qemu " : "")}write {start} {length} {zero}"));
        if (theirs)
        {
            QemuTools.Io(path, "qcow2", string.Create(CultureInfo.InvariantCulture, $"write {(zero ? "-z " : "")}{start} {length}"));
        }
        else if (zero)
        {
            Disk.WriteZeroes(start, length, ZeroMode.MayUnmap);
        }
        else
        {
            Disk.Write(start, new byte[length]);
        }

        foreach (Bitmap bitmap in _bitmaps.Values.Where(bitmap => bitmap.Enabled))
        {
            bitmap.Mark(start, length);
        }
    }

    private void Do(bool theirs, string what, Action ours, string[] arguments)
    {
        Log.Add(theirs ? "qemu " + what : what);
        if (theirs)
        {
            QemuTools.Img(arguments);
        }
        else
        {
            ours();
        }
    }

    private string? Pick(bool present = true)
    {
        List<string> names = [.. Names.Where(name => _bitmaps.ContainsKey(name) == present)];
        return names.Count == 0 ? null : names[random.Next(names.Count)];
    }

    private string Expected() => Sorted(string.Concat(_bitmaps.Select(pair =>
        $"{pair.Key} {pair.Value.Granularity} {(pair.Value.Enabled ? "on" : "off")}:{string.Concat(pair.Value.Ranges(_size).Select(r => $" ({r.Offset}, {r.Length})"))}\n")));

    private static string Sorted(string text) => string.Join('\n', text.Split('\n').Order(StringComparer.Ordinal));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed class Bitmap(int granularity, bool enabled, int size)
    {
        public int Granularity => granularity;

        public bool Enabled { get; set; } = enabled;

        public bool[] Bits { get; private set; } = new bool[Count(size, granularity)];

        public void Mark(int offset, int length) =>
            Bits.AsSpan((offset / granularity)..Math.Min(Bits.Length, (offset + length + granularity - 1) / granularity)).Fill(true);

        public void Resize(int newSize)
        {
            bool[] bits = Bits;
            Array.Resize(ref bits, Count(newSize, granularity));
            Bits = bits;
        }

        public IEnumerable<(int Offset, int Length)> Ranges(int size)
        {
            for (int i = 0; i < Bits.Length; i++)
            {
                int start = i;
                while (i < Bits.Length && Bits[i])
                {
                    i++;
                }

                if (i > start)
                {
                    yield return (start * granularity, Math.Min(size, i * granularity) - (start * granularity));
                }
            }
        }

        private static int Count(int size, int granularity) => (size + granularity - 1) / granularity;
    }
}
