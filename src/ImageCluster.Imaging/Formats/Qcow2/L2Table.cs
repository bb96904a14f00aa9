using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <summary>
/// An L2 table in memory: its words as they stand in the file, big-endian. Reading and setting one word is atomic, so that readers
/// need no lock beside a writer.
/// </summary>
internal sealed class L2Table(long hostOffset, int words)
{
    private readonly ulong[] _words = new ulong[words];

    /// <summary>Bytes; a multiple of the cluster size.</summary>
    public long HostOffset => hostOffset;

    /// <summary>The words as in the file.</summary>
    public ReadOnlySpan<ulong> Raw => _words;

    /// <summary>The whole table as in the file.</summary>
    public Span<byte> Bytes => MemoryMarshal.AsBytes(_words.AsSpan());

    /// <summary>
    /// A word by its index, in the machine's order. A standard entry is one word; an extended entry is two, the descriptor and the
    /// bitmap of subclusters.
    /// </summary>
    public ulong this[int index]
    {
        get => FromRaw(Volatile.Read(ref _words[index]));
        set => Volatile.Write(ref _words[index], FromRaw(value));
    }

    /// <summary>Turns a word as it is in the file into the machine's order, or back.</summary>
    public static ulong FromRaw(ulong word) => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(word) : word;
}
