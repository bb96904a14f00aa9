using System.Buffers.Binary;
using System.Diagnostics;
using ImageCluster.Imaging.Compression;

namespace ImageCluster.Imaging.Tests.Compression;

/// <summary>The first compressed cluster of an image that qemu-img wrote.</summary>
public class QemuStreamTests
{
    [SkippableTheory]
    [InlineData("zlib")]
    [InlineData("zstd")]
    public void QemusClustersInflate(string type)
    {
        Skip.IfNot(File.Exists("/usr/bin/qemu-img"), "qemu-img is not installed");
        DirectoryInfo directory = Directory.CreateTempSubdirectory("imagecluster-codec-");
        try
        {
            byte[] data = ClusterCodecTests.Bytes(1, 65536, 40);
            string raw = Path.Combine(directory.FullName, "a.raw");
            string qcow2 = Path.Combine(directory.FullName, "a.qcow2");
            File.WriteAllBytes(raw, data);
            using (var process = Process.Start("qemu-img", ["convert", "-c", "-O", "qcow2", "-o", $"compression_type={type}", raw, qcow2]))
            {
                process.WaitForExit();
                Assert.Equal(0, process.ExitCode);
            }

            byte[] image = File.ReadAllBytes(qcow2);
            long l1 = BinaryPrimitives.ReadInt64BigEndian(image.AsSpan(40));
            long l2 = BinaryPrimitives.ReadInt64BigEndian(image.AsSpan((int)l1)) & 0x00ff_ffff_ffff_fe00;
            ulong entry = BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan((int)l2));
            Assert.Equal(1UL, entry >> 62);

            // 64 KiB clusters: 54 bits of host offset, then the number of further sectors.
            int offset = (int)(entry & ((1UL << 54) - 1));
            int sectors = (int)((entry >> 54) & 0xff) + 1;
            int end = Math.Min(image.Length, offset / 512 * 512 + sectors * 512);

            using IClusterCodec codec = type == "zlib" ? ClusterCodecs.Deflate(qcow2) : ClusterCodecs.Zstd(qcow2);
            byte[] back = new byte[65536];
            codec.Decompress(image.AsSpan(offset, end - offset), back);
            Assert.Equal(data, back);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
