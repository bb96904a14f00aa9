using System.Buffers;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>
/// A run of guest bytes on its way into a target: the bytes, and the pieces that <see cref="IFillTarget.Prepare"/> cut them into.
/// Belongs to one thread at a time and is reused for run after run.
/// </summary>
public sealed class FillRun : IDisposable
{
    private byte[] _data = [];
    private byte[] _compressed = [];
    private RangeCopier? _copy;
    private RangeReader? _read;

    /// <summary>Guest offset in bytes; a multiple of the target's granularity. A run never crosses a shard's border.</summary>
    public long Offset { get; private set; }

    /// <summary>Bytes; a multiple of the granularity, except where the disk ends.</summary>
    public int Length { get; private set; }

    /// <summary>The run reads as zeros and must say so in the target (which has a backing file, say); <see cref="Data"/> is not set.</summary>
    public bool ExplicitZero { get; private set; }

    /// <summary>Smallest run of zeros, in bytes, that is left out (<c>-S</c>); 0 writes zeros as data.</summary>
    public int SparseSize { get; set; } = 4096;

    /// <summary>
    /// True where the target holds something else, or a backing file shows, where nothing is written: zeros between data are then
    /// pieces of kind <see cref="FillPieceKind.Zero"/> instead of being left out.
    /// </summary>
    public bool StateZeroes { get; set; }

    public List<FillPiece> Pieces { get; } = [];

    /// <summary>The guest's bytes. Of a run that the storage is to copy they are read when somebody asks for them.</summary>
    public Span<byte> Data
    {
        get
        {
            Load();
            return _data.AsSpan(0, Length);
        }
    }

    /// <summary>Starts anew with room for <paramref name="length"/> bytes, to be filled through <see cref="Data"/>.</summary>
    public void StartData(long offset, int length)
    {
        Start(offset, length, zero: false);
        Grow(length);
    }

    /// <summary>Starts anew with bytes that the storage is to copy by itself, whole: zeros among them are not looked for.</summary>
    /// <param name="offset">The guest's.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="copy">Asked through <see cref="TryCopy"/>.</param>
    /// <param name="read">Where it cannot copy.</param>
    public void StartCopy(long offset, int length, RangeCopier copy, RangeReader read)
    {
        Start(offset, length, zero: false);
        SparseSize = 0;
        _copy = copy;
        _read = read;
    }

    /// <summary>Has the storage copy bytes of the run; false where that is not wanted or cannot be done, and the payload is to be written.</summary>
    /// <param name="start">From the run's start.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="file">Where to.</param>
    /// <param name="offset">Where in the file.</param>
    public bool TryCopy(int start, int length, IBlockFile file, long offset)
    {
        if (_copy is null)
        {
            return false;
        }

        if (_copy(Offset + start, length, file, offset))
        {
            return true;
        }

        Load();
        return false;
    }

    /// <summary>The storage is to copy the run.</summary>
    public bool IsToBeCopied => _copy is not null;

    /// <summary>Starts anew with zeros that the target must state.</summary>
    public void StartZero(long offset, int length) => Start(offset, length, zero: true);

    /// <summary>Room for compressed payload: at least <paramref name="length"/> bytes, kept until the run starts anew.</summary>
    public Span<byte> CompressedRoom(int length)
    {
        if (_compressed.Length < length)
        {
            byte[] bigger = ArrayPool<byte>.Shared.Rent(length);
            _compressed.CopyTo(bigger.AsSpan());
            Return(ref _compressed);
            _compressed = bigger;
        }

        return _compressed;
    }

    /// <summary>The bytes to write for a piece: from the compressed room or from the data.</summary>
    public ReadOnlySpan<byte> Payload(in FillPiece piece) => piece.Kind == FillPieceKind.Compressed
        ? _compressed.AsSpan(piece.PayloadStart, piece.PayloadLength)
        : Data.Slice(piece.PayloadStart, piece.PayloadLength);

    public void Dispose()
    {
        Return(ref _data);
        Return(ref _compressed);
    }

    private static void Return(ref byte[] buffer)
    {
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = [];
        }
    }

    private void Start(long offset, int length, bool zero)
    {
        Offset = offset;
        Length = length;
        ExplicitZero = zero;
        Pieces.Clear();
        _copy = null;
        _read = null;
    }

    private void Grow(int length)
    {
        if (_data.Length < length)
        {
            Return(ref _data);
            _data = ArrayPool<byte>.Shared.Rent(length);
        }
    }

    private void Load()
    {
        if (_copy is not null)
        {
            _copy = null;
            Grow(Length);
            _read!(Offset, _data.AsSpan(0, Length));
        }
    }
}

public enum FillPieceKind : byte
{
    /// <summary>Payload as it is.</summary>
    Data,

    /// <summary>One compressed cluster.</summary>
    Compressed,

    /// <summary>Zeros that the target states.</summary>
    Zero,
}

/// <summary>A piece of a run that is all of one kind. Offsets and lengths in bytes.</summary>
public struct FillPiece
{
    public FillPieceKind Kind;

    /// <summary>From the run's start.</summary>
    public int Start;

    /// <summary>Guest bytes.</summary>
    public int Length;

    /// <summary>Where the payload stands in its buffer, and how long it is.</summary>
    public int PayloadStart;
    public int PayloadLength;

    /// <summary>Set by <see cref="IFillTarget.Reserve"/>.</summary>
    public long HostOffset;
}
