namespace ImageCluster.Imaging.Formats.Filling;

/// <summary>
/// A new image being filled by many threads, or by many machines, along one path: <em>reserve, write, publish</em>.
/// <list type="number">
/// <item>The guest's disk is cut into shards of <see cref="ShardLength"/> bytes, a shard into runs (<see cref="FillRun"/>).</item>
/// <item><see cref="Prepare"/> finds zeros and compresses: any thread, no lock.</item>
/// <item><see cref="Reserve"/> takes room in the file for the run. Called in guest order (by ticket) the file has the same bytes at any
/// number of threads, in the layout that qemu-img would give it.</item>
/// <item><see cref="Write"/> writes the payload into the room: any thread.</item>
/// <item><see cref="CloseShard"/>, when every run of a shard is written, writes the shard's tables and says in a small manifest what lies where.</item>
/// <item><see cref="Publish"/>, called by the one owner of the image's metadata, takes the manifest in; <see cref="Finish"/> makes
/// the image whole.</item>
/// </list>
/// A shard without any run needs no closing. All members but <see cref="Publish"/> and <see cref="Finish"/> may be called from any thread.
/// </summary>
public interface IFillTarget : IDisposable
{
    /// <summary>Bytes.</summary>
    long VirtualSize { get; }

    /// <summary>The unit (bytes, a power of two) to which borders between zeros and data are rounded; runs start at multiples of it.</summary>
    int Granularity { get; }

    /// <summary>Bytes of the guest's disk that one shard covers: a multiple of what one second-level table maps.</summary>
    long ShardLength { get; }

    /// <summary>Bytes that a run should have for this target: a multiple of <see cref="Granularity"/>.</summary>
    int PreferredRunLength { get; }

    /// <summary>True where shards may be filled by several processes, in any order; false where one must do the whole image in guest order.</summary>
    bool ShardsIndependent { get; }

    /// <summary>True where what is never written reads as zeros (no backing file, a fresh file).</summary>
    bool UnwrittenIsZero { get; }

    /// <summary>False where every guest byte has its place beforehand, so that runs need no order and no room.</summary>
    bool ReservesRoom => true;

    /// <summary>
    /// True where QEMU's driver of the format lets the storage copy ranges into it (<c>convert -C</c>): what is copied is copied as it is, and zeros in it become data.
    /// </summary>
    bool TakesCopies => false;

    /// <summary>The room from which this process reserves unless told otherwise: the format's own allocator over the whole file.</summary>
    IRoom Room { get; }

    void Prepare(FillRun run);

    void Reserve(FillRun run, IRoom room);

    void Write(FillRun run);

    /// <summary>Writes the tables of a shard all of whose runs are written; returns null where the shard holds nothing.</summary>
    ShardManifest? CloseShard(long shard);

    /// <summary>Takes a shard's manifest in. The same manifest twice is the same as once.</summary>
    void Publish(ShardManifest manifest);

    /// <summary>Makes payload and tables written so far durable (before a manifest is journaled).</summary>
    void Flush();

    /// <summary>Writes the metadata that makes the file a whole image, in an order in which it is never taken for one before it is; durable on return.</summary>
    void Finish();
}
