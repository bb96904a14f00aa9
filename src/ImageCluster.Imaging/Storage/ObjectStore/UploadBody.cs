using System.Buffers;
using System.Security.Cryptography;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>What a request carries: bytes in memory, or a range of a file. It may be sent several times.</summary>
internal abstract class UploadBody
{
    public static readonly UploadBody Empty = new MemoryBody(ReadOnlyMemory<byte>.Empty);

    // Several threads may send one body (parts of zeros).
    private readonly Lazy<(string Sha256, byte[] Md5)> _digests;

    private UploadBody() => _digests = new Lazy<(string Sha256, byte[] Md5)>(ComputeDigests);

    public abstract long Length { get; }

    /// <summary>SHA-256 in hexadecimal and MD5, of all bytes.</summary>
    public (string Sha256, byte[] Md5) Digests => _digests.Value;

    public static UploadBody Of(ReadOnlyMemory<byte> bytes) => new MemoryBody(bytes);

    public static UploadBody Of(IBlockFile file, long offset, long length) => new FileBody(file, offset, length);

    public static UploadBody Zeros(long length) => new ZeroBody(length);

    public abstract void WriteTo(Action<ReadOnlySpan<byte>> write);

    private (string Sha256, byte[] Md5) ComputeDigests()
    {
        using IncrementalHash sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        // What the protocol wants: it guards against accidents, SHA-256 against all else.
        using IncrementalHash md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        WriteTo(bytes =>
        {
            sha.AppendData(bytes);
            md5.AppendData(bytes);
        });
        return (Convert.ToHexStringLower(sha.GetHashAndReset()), md5.GetHashAndReset());
    }

    private sealed class MemoryBody(ReadOnlyMemory<byte> bytes) : UploadBody
    {
        public override long Length => bytes.Length;

        public override void WriteTo(Action<ReadOnlySpan<byte>> write) => write(bytes.Span);
    }

    private sealed class ZeroBody(long length) : UploadBody
    {
        private static readonly byte[] Some = new byte[64 << 10];

        public override long Length => length;

        public override void WriteTo(Action<ReadOnlySpan<byte>> write)
        {
            for (long left = length; left > 0; left -= Some.Length)
            {
                write(Some.AsSpan(0, (int)Math.Min(left, Some.Length)));
            }
        }
    }

    private sealed class FileBody(IBlockFile file, long offset, long length) : UploadBody
    {
        private const int BufferLength = 256 * 1024;

        public override long Length => length;

        public override void WriteTo(Action<ReadOnlySpan<byte>> write)
        {
            byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
            try
            {
                for (long done = 0; done < length;)
                {
                    int part = (int)Math.Min(length - done, BufferLength);
                    file.ReadExactly(offset + done, buffer.AsSpan(0, part), "the finished image");
                    write(buffer.AsSpan(0, part));
                    done += part;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }
}
