using ImageCluster.Imaging.Tests.Formats.BlockTables;

namespace ImageCluster.Imaging.Tests.Formats.Structures;

/// <summary>Formats with two levels of tables.</summary>
internal static class ClusterTableMaps
{
    public static StructureMap Qcow()
    {
        const int L1 = 48;
        const int Cluster = 4096;
        byte[] image = BlockTableMaps.Fill("qcow", "", out byte[] guest);
        Field[] tables = [.. BlockTableMaps.Entries(image, L1, 2, 8, bigEndian: true)];
        Field[] clusters = [.. BlockTableMaps.Entries(image, Place(tables[0]), 512, 8, bigEndian: true).Where(entry => entry.Get(image) != 0).Take(2)];
        return new StructureMap
        {
            Format = "qcow",
            Image = image,
            Guest = guest,
            Structures =
            [
                new("header", 0, L1), new("L1 table", L1, 2 * 8), .. tables.Select(table => new Structure($"L2 table of {table.Name}", Place(table), Cluster)),
                .. clusters.Select(entry => new Structure($"cluster of {entry.Name}", Place(entry), Cluster)),
            ],
            Fields =
            [
                new("version", 4, 4, true) { Beyond = [2] },
                new("backing size", 16, 4, true),
                new("modified", 20, 4, true),
                new("size", 24, 8, true) { Beyond = [(ulong)(int.MaxValue / 8) << 21] },
                new("cluster bits", 32, 1, true) { Beyond = [8, 17] },
                new("L2 bits", 33, 1, true) { Beyond = [5, 14] },
                new("encryption", 36, 4, true) { Beyond = [2] },
            ],
            Pointers =
            [
                Pointer.In(new("L1 offset", 40, 8, true), 1), .. tables.Select(static table => Pointer.In(table, 1)), .. clusters.Select(static entry => Pointer.In(entry, 1)),
            ],
        };

        int Place(Field field) => (int)field.Get(image);
    }

    public static StructureMap Qed()
    {
        const int Cluster = 4096;
        byte[] image = BlockTableMaps.Fill("qed", "cluster_size=4096,table_size=2", out byte[] guest);
        int l1 = (int)new Field("L1 offset", 40, 8).Get(image);
        Field table = new("L1 entry", l1, 8);
        int l2 = (int)table.Get(image);
        Field[] clusters = [.. BlockTableMaps.Entries(image, l2, 512, 8, bigEndian: false).Where(entry => entry.Get(image) > 1).Take(2)];
        return new StructureMap
        {
            Format = "qed",
            Image = image,
            Guest = guest,
            Structures =
            [
                new("header", 0, 64), new("L1 table", l1, 2 * Cluster), new("L2 table", l2, 2 * Cluster),
                .. clusters.Select(entry => new Structure($"cluster of {entry.Name}", (int)entry.Get(image), Cluster)),
            ],
            Fields =
            [
                new("cluster size", 4, 4) { Beyond = [2048, 4097, 128 << 20] },
                new("table size", 8, 4) { Beyond = [3, 32] },
                new("header size", 12, 4) { Beyond = [uint.MaxValue / Cluster + 1] },
                new("features", 16, 8) { Beyond = [8] },
                new("compatible features", 24, 8),
                new("autoclear features", 32, 8),
                new("image size", 48, 8) { Beyond = [(1UL << 32) + 512, 513] },
                new("backing name's size", 60, 4),
            ],
            Pointers =
            [
                Pointer.In(new("L1 offset", 40, 8), 1), Pointer.In(table, 1), .. clusters.Select(static entry => Pointer.In(entry, 1)),
            ],
        };
    }
}
