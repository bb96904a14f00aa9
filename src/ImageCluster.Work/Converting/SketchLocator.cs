using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Work.Converting;

/// <summary>
/// Files that are written to memory and forgotten, over files that are there and only read: a target is created in it to find out what it would be
/// like. Holds what is not zeros, up to a limit.
/// </summary>
internal sealed class SketchLocator(IFileLocator inner) : IFileLocator
{
    private readonly Dictionary<string, SketchFile> _files = new(StringComparer.Ordinal);

    public IBlockFile Open(string name, OpenMode mode) => _files.TryGetValue(name, out SketchFile? file) ? file : inner.Open(name, mode with { Write = false });

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
    {
        var file = new SketchFile(name);
        file.SetLength(length);
        return _files[name] = file;
    }

    public bool Exists(string name) => _files.ContainsKey(name) || inner.Exists(name);

    public string Combine(string referrer, string reference) => inner.Combine(referrer, reference);

    public string Canonical(string name) => _files.ContainsKey(name) ? name : inner.Canonical(name);

    public void Delete(string name) => _files.Remove(name);

    private sealed class SketchFile(string name) : IBlockFile
    {
        private const int PageSize = 4096;
        private const int MaxPages = (64 << 20) / PageSize;

        private readonly Lock _lock = new();
        private readonly Dictionary<long, byte[]> _pages = [];
        private long _length;

        public string Name => name;

        public long Length => _length;

        public bool CanWrite => true;

        public bool CanResize => true;

        public long AllocatedBytes => (long)_pages.Count * PageSize;

        public int Read(long offset, Span<byte> buffer)
        {
            lock (_lock)
            {
                int count = (int)Math.Clamp(_length - offset, 0, buffer.Length);
                for (int at = 0; at < count;)
                {
                    (long page, int start) = Place(offset + at);
                    int part = Math.Min(count - at, PageSize - start);
                    if (_pages.TryGetValue(page, out byte[]? bytes))
                    {
                        bytes.AsSpan(start, part).CopyTo(buffer[at..]);
                    }
                    else
                    {
                        buffer.Slice(at, part).Clear();
                    }

                    at += part;
                }

                return count;
            }
        }

        public void Write(long offset, ReadOnlySpan<byte> data)
        {
            lock (_lock)
            {
                _length = Math.Max(_length, offset + data.Length);
                for (int at = 0; at < data.Length;)
                {
                    (long page, int start) = Place(offset + at);
                    ReadOnlySpan<byte> part = data.Slice(at, Math.Min(data.Length - at, PageSize - start));
                    if (_pages.TryGetValue(page, out byte[]? bytes))
                    {
                        part.CopyTo(bytes.AsSpan(start));
                    }
                    else if (part.ContainsAnyExcept((byte)0))
                    {
                        part.CopyTo(NewPage(page).AsSpan(start));
                    }

                    at += part.Length;
                }
            }
        }

        // Only a few pages are held: whatever the range, they are looked at, not it.
        public void WriteZeroes(long offset, long length, ZeroMode mode)
        {
            lock (_lock)
            {
                _length = Math.Max(_length, checked(offset + length));
                foreach ((long page, byte[] bytes) in _pages)
                {
                    long from = Math.Max(offset - page * PageSize, 0);
                    long to = Math.Min(offset + length - page * PageSize, PageSize);
                    if (from < to)
                    {
                        bytes.AsSpan((int)from, (int)(to - from)).Clear();
                    }
                }
            }
        }

        public void Discard(long offset, long length)
        {
        }

        public void SetLength(long length)
        {
            if (length < _length)
            {
                WriteZeroes(length, _length - length, ZeroMode.MayUnmap);
            }

            _length = length;
        }

        public void Allocate(long offset, long length) => _length = Math.Max(_length, checked(offset + length));

        public void Flush()
        {
        }

        public (long Length, bool IsHole) NextRange(long offset, long length) => (length, false);

        public void Dispose()
        {
        }

        private static (long Page, int Start) Place(long offset) => (offset / PageSize, (int)(offset % PageSize));

        private byte[] NewPage(long page) => _pages.Count < MaxPages
            ? _pages[page] = new byte[PageSize]
            : throw new ImageException(ImageErrorKind.Limit, name, "What stands before the data of this target is too large to be planned");
    }
}
