using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Operations.Converting;

/// <summary>Several sources one behind the other, as <c>convert A B TARGET</c> joins them.</summary>
public sealed class ConcatenatedSource : IConvertSource
{
    private readonly IConvertSource[] _parts;
    private readonly long[] _starts;

    public ConcatenatedSource(IEnumerable<IConvertSource> parts)
    {
        _parts = [.. parts];
        _starts = new long[_parts.Length];
        for (int i = 0; i < _parts.Length; i++)
        {
            _starts[i] = VirtualSize;
            VirtualSize = checked(VirtualSize + _parts[i].VirtualSize);
        }
    }

    public long VirtualSize { get; }

    public SourceRange Map(long offset, long length)
    {
        int part = PartAt(offset);
        long start = _starts[part];
        return _parts[part].Map(offset - start, Math.Min(length, start + _parts[part].VirtualSize - offset));
    }

    public void Read(long offset, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            int part = PartAt(offset);
            long inPart = offset - _starts[part];
            int length = (int)Math.Min(buffer.Length, _parts[part].VirtualSize - inPart);
            _parts[part].Read(inPart, buffer[..length]);
            offset += length;
            buffer = buffer[length..];
        }
    }

    public bool TryCopy(long offset, long length, IBlockFile target, long targetOffset)
    {
        int part = PartAt(offset);
        long inPart = offset - _starts[part];
        return inPart + length <= _parts[part].VirtualSize && _parts[part].TryCopy(inPart, length, target, targetOffset);
    }

    public bool CanCopy(long offset, long length)
    {
        int part = PartAt(offset);
        long inPart = offset - _starts[part];
        return inPart + length <= _parts[part].VirtualSize && _parts[part].CanCopy(inPart, length);
    }

    // Parts of size 0 share their start with the next one: the last that starts at or before the offset holds it.
    private int PartAt(long offset)
    {
        int low = 0;
        int high = _parts.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = _starts[middle] <= offset ? (middle, high) : (low, middle - 1);
        }

        return low;
    }
}
