using System.Buffers.Binary;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Imaging.Tests.Formats.Structures;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats;

/// <summary>
/// Damage of any kind in images of the formats with the most metadata: they are opened, mapped, read, checked, repaired and written to, and what comes of
/// it is a clear error or nothing, in short time and little memory.
/// </summary>
public sealed class DamageTests
{
    private const int Cases = 25;
    private const int GuestSize = (1 << 20) + (512 * 3);
    private const int MetadataLength = 400 << 10;

    [Theory]
    [InlineData("qcow2", "")]
    [InlineData("qcow2", "cluster_size=512,refcount_bits=1")]
    [InlineData("qcow2", "cluster_size=512,refcount_bits=64")]
    [InlineData("qcow2", "extended_l2=on,cluster_size=16k")]
    [InlineData("qcow2", "lazy_refcounts=on")]
    [InlineData("qcow2", "compat=0.10")]
    [InlineData("vmdk", "")]
    [InlineData("vmdk", "zeroed_grain=on")]
    [InlineData("vmdk", "subformat=streamOptimized")]
    [InlineData("qed", "cluster_size=4096,table_size=2")]
    [InlineData("vdi", "")]
    [InlineData("parallels", "cluster_size=64k")]
    [InlineData("qcow", "")]
    public void FieldsAndPiecesThatAreSomethingElseGiveNothingButClearErrors(string format, string options)
    {
        MemoryLocator files = new();
        FormatKit kit = new(format, files);
        kit.Fill("image", GuestContent.Make(GuestSize, 5), options);
        byte[] image = files["image"];
        Random random = new(TestSeed.Value);
        for (int i = 0; i < Cases; i++)
        {
            DamagedImages.Survive(format, Damage(image, random), $"{format} {options}: damage {i} of seed {TestSeed.Value}");
        }
    }

    // LUKS with its password, archives, disks beside their parents, and formats that refuse to be written to.
    [Theory]
    [InlineData("luks")]
    [InlineData("vpc")]
    [InlineData("vhdx")]
    [InlineData("bochs")]
    [InlineData("cloop")]
    [InlineData("dmg by resource fork")]
    [InlineData("vmdk vmfs")]
    [InlineData("vmdk vmfsSparse")]
    [InlineData("vmdk seSparse")]
    [InlineData("vmdk in an OVA")]
    [InlineData("vpc differencing")]
    [InlineData("vhdx differencing")]
    public void DamageInWhatTakesMoreToBeOpenedGivesNothingButClearErrors(string name)
    {
        StructureMap map = StructureMaps.Of(name);
        Random random = new(TestSeed.Value);
        for (int i = 0; i < Cases; i++)
        {
            byte[] bad = Damage(map.Image, random);
            foreach (Field field in map.Slow.Where(field => field.Offset + field.Width <= bad.Length))
            {
                bad = field.With(bad, field.Get(map.Image));
            }

            map.Survive(bad, $"{name}: damage {i} of seed {TestSeed.Value}");
        }
    }

    private static byte[] Damage(byte[] image, Random random)
    {
        byte[] bad = [.. image];
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int width = 1 << random.Next(4);
            int at = Spot(bad, random, width);
            switch (random.Next(5))
            {
                case 0:
                    bad[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    // Another field or entry: tables that overlap, and that name themselves.
                    bad.AsSpan(Spot(bad, random, width), width).CopyTo(bad.AsSpan(at));
                    break;
                case 2:
                    return bad[..random.Next(bad.Length)];
                default:
                    Set(bad.AsSpan(at, width), random);
                    break;
            }
        }

        return bad;
    }

    private static void Set(Span<byte> field, Random random)
    {
        ulong[] values = [0, 1, ulong.MaxValue, ulong.MaxValue >> 1, 1UL << random.Next(64), (ulong)random.NextInt64(), int.MaxValue, uint.MaxValue, 512, 1UL << 40];
        Span<byte> bytes = stackalloc byte[8];
        ulong value = values[random.Next(values.Length)];
        if (random.Next(2) == 0)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
            bytes[..field.Length].CopyTo(field);
        }
        else
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
            bytes[^field.Length..].CopyTo(field);
        }
    }

    // Rather where something stands, and rather in the header.
    private static int Spot(byte[] image, Random random, int width)
    {
        int limit = Math.Min(image.Length, random.Next(2) == 0 ? 512 : MetadataLength) / width;
        int at = 0;
        for (int tries = 0; tries < 100; tries++)
        {
            at = random.Next(limit) * width;
            if (image.AsSpan(at, width).ContainsAnyExcept((byte)0))
            {
                break;
            }
        }

        return at;
    }
}
