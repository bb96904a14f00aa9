using System.Buffers.Binary;
using System.Globalization;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Testing;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>Images damaged at random places of their metadata: the check and its repairs count and mend what qemu-img's do.</summary>
public sealed class CheckerTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    public static TheoryData<string> Options =>
    [
        "cluster_size=512",
        "cluster_size=512,refcount_bits=1",
        "cluster_size=4k,refcount_bits=4",
        "cluster_size=4k,refcount_bits=64",
        "cluster_size=64k",
        "cluster_size=2M",
        "compat=0.10,cluster_size=1k",
        "extended_l2=on,cluster_size=16k",
        "data_file=DATA,cluster_size=4k",
        "cluster_size=4k,lazy_refcounts=on",
    ];

    [SkippableTheory]
    [MemberData(nameof(Options))]
    public void CountsAndMendsWhatQemuDoes(string options)
    {
        QemuTools.Require();
        int seed = TestSeed.Value;
        Random random = new(seed);
        string image = MakeImage(options, seed);
        byte[] sound = File.ReadAllBytes(image);
        Compare(image, sound, "undamaged", seed);
        for (int round = 0; round < 3; round++)
        {
            byte[] damaged = (byte[])sound.Clone();
            List<string> log = [];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                log.Add(Damage(ref damaged, random));
            }

            Compare(image, damaged, string.Join("; ", log), seed);
        }
    }

    private void Compare(string image, byte[] bytes, string log, int seed)
    {
        string theirs = _directory["theirs.qcow2"];
        string ours = _directory["ours.qcow2"];
        foreach (CheckRepair repair in new[] { CheckRepair.None, CheckRepair.Leaks, CheckRepair.All })
        {
            File.WriteAllBytes(theirs, bytes);
            File.WriteAllBytes(ours, bytes);
            CheckOutcome expected = CheckOutcome.OfQemu(theirs, repair, out string theirWords);
            CheckOutcome actual = CheckOutcome.Ours(ours, repair, out string ourWords);
            string context = $"seed {seed}, repair {repair}, {image}: {log}\nqemu-img: {expected}\nours: {actual}\n{Head(theirWords)}\nours: {Head(ourWords)}";
            if (expected.ExitCode == 1 && repair != CheckRepair.None && expected != actual)
            {
                // QEMU gives up where its own guards stop its repair; going on is better, as long as it ends well.
                Assert.True(actual.CheckErrors == 0, context);
            }
            else
            {
                Assert.True(expected == actual, context);
                if (expected != CheckOutcome.Failed || repair == CheckRepair.None)
                {
                    AssertSameWords(theirWords, ourWords, context);
                }
            }

            if (actual.ExitCode != 1)
            {
                CheckOutcome after = CheckOutcome.OfQemu(ours, CheckRepair.None, out string afterwards);
                Assert.True((after.Corruptions, after.Leaks) == (actual.Corruptions, actual.Leaks), $"{context}\nafter our repair: {after}\n{afterwards}");
            }
        }
    }

    // Line by line, in any order. QEMU says more where it marks the image corrupt on the way, or has an errno to show.
    private static void AssertSameWords(string theirs, string ours, string context)
    {
        List<string> expected = Lines(theirs);
        List<string> actual = Lines(ours);
        if (expected.Count > 5000)
        {
            // Ours lists only so many.
            return;
        }

        Assert.True(expected.SequenceEqual(actual), $"{context}\nonly qemu-img: {string.Join('\n', expected.Except(actual).Take(5))}\nonly ours: {string.Join('\n', actual.Except(expected).Take(5))}");

        static List<string> Lines(string text) =>
        [
            .. text.Replace("qemu-img: ", "", StringComparison.Ordinal).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(line => !line.StartsWith("qcow2: ", StringComparison.Ordinal) && !line.Contains("Could not open", StringComparison.Ordinal)
                    && !line.Contains("Check failed", StringComparison.Ordinal) && !line.Contains("itmap", StringComparison.Ordinal) && !line.Contains("Could not resize file", StringComparison.Ordinal)
                    && !line.StartsWith("qcow2_free_clusters failed", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];
    }

    private static string Head(string text) => text.Length < 3000 ? text : text[..1500] + "\n...\n" + text[^1500..];

    // Data, zeros, compressed clusters, snapshots and a bitmap, as far as the options have them.
    private string MakeImage(string options, int seed)
    {
        string image = _directory["a.qcow2"];
        bool dataFile = options.Contains("data_file");
        bool version2 = options.Contains("0.10");
        bool oneBit = options.Contains("refcount_bits=1");
        string raw = _directory["a.raw"];
        int size = options.Contains("2M") ? 20 << 20 : options.Contains("512") ? 400_384 : 3 << 20;
        File.WriteAllBytes(raw, GuestContent.Make(size, seed, 100_000));
        // Of refcounts of 4 bits, packed clusters leave no room for snapshots.
        string[] compress = dataFile || options.Contains("refcount_bits=4") || seed % 2 == 0 ? [] : ["-c"];
        QemuTools.Img(["convert", "-f", "raw", "-O", "qcow2", .. compress, "-o", options.Replace("DATA", _directory["data.raw"]), raw, image]);
        // Not both: qemu-img 7.2 loses the snapshots of an image with bitmaps when it opens it for repairs.
        bool snapshots = !dataFile && !oneBit && (version2 || seed % 3 > 0);
        if (snapshots)
        {
            QemuTools.Img("snapshot", "-c", "first", image);
        }

        string[] commands = [string.Create(CultureInfo.InvariantCulture, $"write -P 1 0 {size / 3}"), "write -P 7 300k 12k"];
        QemuTools.Io(image, "qcow2", version2 ? commands : [.. commands, "write -z 200k 70k", "write -z -u 100k 30k"]);
        if (snapshots)
        {
            QemuTools.Img("snapshot", "-c", "second", image);
        }
        else
        {
            QemuTools.Img("bitmap", "--add", image, "marks");
        }

        QemuTools.Io(image, "qcow2", "write -P 9 20k 40k");
        return image;
    }

    // One word or bit of some table.
    private static string Damage(ref byte[] image, Random random)
    {
        int clusterBits = BinaryPrimitives.ReadInt32BigEndian(image.AsSpan(20));
        List<(string Name, int At, int Length)> tables = Tables(image, clusterBits);
        (string name, int at, int length) = tables[random.Next(tables.Count)];
        if (random.Next(12) == 0)
        {
            int keep = random.Next(image.Length / 2, image.Length);
            image = image[..keep];
            return $"cut to {keep}";
        }

        int word = at + (random.Next(length / 8) * 8);
        if (word + 8 > image.Length)
        {
            return "nothing";
        }

        ulong value = BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(word));
        ulong changed = random.Next(7) switch
        {
            0 => 0,
            1 => value ^ (1UL << random.Next(64)),
            2 => value ^ (1UL << random.Next(9, 24)),
            3 => value ^ (1UL << 63),
            4 => ((ulong)(uint)random.Next(image.Length >> clusterBits) << clusterBits) | (value & (1UL << 63)),
            5 => value + (1UL << clusterBits),
            _ => value | (uint)random.Next(1, 512),
        };
        BinaryPrimitives.WriteUInt64BigEndian(image.AsSpan(word), changed);
        return $"{name} at 0x{word:x}: {value:x16} to {changed:x16}";
    }

    private static List<(string Name, int At, int Length)> Tables(byte[] image, int clusterBits)
    {
        int cluster = 1 << clusterBits;
        int l1 = (int)BinaryPrimitives.ReadInt64BigEndian(image.AsSpan(40));
        int l1Entries = BinaryPrimitives.ReadInt32BigEndian(image.AsSpan(36));
        int refcountTable = (int)BinaryPrimitives.ReadInt64BigEndian(image.AsSpan(48));
        int snapshots = (int)BinaryPrimitives.ReadInt64BigEndian(image.AsSpan(64));
        List<(string, int, int)> tables =
        [
            ("L1", l1, l1Entries * 8),
            ("L1", l1, l1Entries * 8),
            ("refcount table", refcountTable, Math.Min(cluster, 64)),
        ];
        if (snapshots > 0)
        {
            tables.Add(("snapshots", snapshots, 128));
        }

        AddBitmaps();
        AddTables("L2", l1, l1Entries, 0x00FF_FFFF_FFFF_FE00);
        AddTables("refcount block", refcountTable, Math.Min(64, cluster / 8), ~511UL);
        return tables;

        // As far as earlier damage leaves them to be found.
        void AddBitmaps()
        {
            int extension = image.AsSpan(0, Math.Min(cluster, 1024)).IndexOf((byte[])[0x23, 0x85, 0x28, 0x75, 0, 0, 0, 24]) + 8;
            if (extension < 8)
            {
                return;
            }

            tables.Add(("bitmaps extension", extension, 24));
            ulong directory = BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(extension + 16));
            if (directory > 0 && directory < (ulong)(image.Length - 32))
            {
                tables.Add(("bitmap directory", (int)directory, 32));
                ulong table = BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan((int)directory));
                if (table > 0 && table < (ulong)(image.Length - 8))
                {
                    tables.Add(("bitmap table", (int)table, 8));
                }
            }
        }

        void AddTables(string name, int at, int entries, ulong mask)
        {
            for (int i = 0; i < entries && at + (i * 8) + 8 <= image.Length && at > 0; i++)
            {
                ulong offset = BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(at + (i * 8))) & mask;
                if (offset != 0 && offset < (ulong)image.Length)
                {
                    tables.Add((name, (int)offset, Math.Min(cluster, 512)));
                    tables.Add((name, (int)offset, Math.Min(cluster, 512)));
                }
            }
        }
    }
}
