using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats;

/// <summary>
/// A layer opened for writing anywhere in place. Data reaches a file before the metadata that points to it; a crash at any instant
/// leaves at worst leaked clusters. Safe from any number of threads, so long as two do not write the same cluster at once.
/// </summary>
public interface IWritableLayer : IImageLayer
{
    /// <summary>
    /// The unit in bytes that <see cref="Write"/> needs whole where nothing is allocated yet. Smaller than the granularity where a
    /// format without backing file fills its (large) blocks up with zeros itself.
    /// </summary>
    long WriteUnit => Granularity;

    /// <summary>
    /// Writes guest bytes. Where <see cref="IImageLayer.Map"/> does not say data, the range must be whole units of
    /// <see cref="WriteUnit"/> (or end with the disk): <see cref="Chains.LayeredDisk"/> fills partial units from
    /// the chain before it calls.
    /// </summary>
    void Write(long offset, ReadOnlySpan<byte> data);

    /// <summary>
    /// As <see cref="Write"/>, of whole units of which the guest wrote a part only: the rest is what it read there before. What records the guest's
    /// writes records that part.
    /// </summary>
    /// <param name="offset">Guest offset of the first unit.</param>
    /// <param name="data">The units.</param>
    /// <param name="written">Guest offset of what the guest wrote.</param>
    /// <param name="length">Bytes of it, 1 or more.</param>
    void WriteFilled(long offset, ReadOnlySpan<byte> data, long written, long length) => Write(offset, data);

    /// <summary>Makes the range read as zeros whatever lies below; same alignment rule as <see cref="Write"/>.</summary>
    void WriteZeroes(long offset, long length, ZeroMode mode);

    /// <summary>Drops whole units of the range from this layer: they become absent where the format can say so, else zero.</summary>
    void Discard(long offset, long length);

    /// <summary>Returns when data and metadata written before are on stable storage.</summary>
    void Flush();
}
