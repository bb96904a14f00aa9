using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Structures;

/// <summary>
/// Every format's images, structure by structure: cut at each border, each number at its ends and beyond its limit, each pointer at each structure,
/// each checksum wrong. One clear error or right bytes must come of it, in bounded time and memory.
/// </summary>
public sealed class StructureDamageTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly List<string> _failures = [];

    public static TheoryData<string> Formats => StructureMaps.Names;

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Formats))]
    public void TheMapIsRight(string format)
    {
        StructureMap map = StructureMaps.Of(format);
        using LayeredDisk disk = map.Open(map.Image);
        Assert.True(map.Guest.AsSpan().SequenceEqual(FormatKit.ReadAll(disk).AsSpan(0, map.Guest.Length)));
        Assert.All(map.Structures, structure => Assert.InRange(structure.End, structure.Start + 1, map.Image.Length));
        foreach (Pointer pointer in map.Pointers)
        {
            ulong value = pointer.Field.Get(map.Image);
            Assert.True(map.Structures.Any(structure => pointer.ValueOf(structure.Start) == value), $"{pointer.Field.Name} = 0x{value:x} points to nothing that the map names");
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void CutAtTheBorderOfAnyStructure(string format)
    {
        StructureMap map = StructureMaps.Of(format);
        IEnumerable<int> borders = map.Structures.SelectMany(static structure => new[] { structure.Start, structure.End, structure.Start + (structure.Length / 2) });
        IEnumerable<int> cuts = borders.SelectMany(static at => new[] { at - 1, at, at + 1 }).Concat([0, 1, 511, 512, 513]);
        foreach (int cut in cuts.Where(cut => cut >= 0 && cut < map.Image.Length).Distinct())
        {
            byte[]? guest = map.MayEndWithinASector && cut % 512 != 0 ? null : map.Guest;
            Collect(() => map.Survive(map.Image[..cut], $"cut at {cut}", guest));
        }

        Assert.Empty(_failures);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void NumbersAtTheirEndsAndBeyondTheirLimits(string format)
    {
        StructureMap map = StructureMaps.Of(format);
        foreach (Field field in map.Fields.Concat(map.Pointers.Select(static pointer => pointer.Field)).DistinctBy(static field => field.Offset))
        {
            ulong now = field.Get(map.Image);
            ulong max = ulong.MaxValue >> (64 - (8 * field.Width));
            IEnumerable<ulong> values = field.Beyond.Count > 0 ? field.Beyond : (ulong[])[now + 1 & max];
            foreach (ulong value in values.Concat((ulong[])[0, 1, max]).Distinct().Where(value => value != now))
            {
                Collect(() =>
                {
                    ImageException? refusal = map.Survive(map.Reseal(field.With(map.Image, value)), $"{field.Name} = 0x{value:x}");
                    Assert.True(refusal is not null || !field.Beyond.Contains(value), $"{format}: {field.Name} = 0x{value:x} is beyond the limit and not refused");
                });
            }
        }

        Assert.Empty(_failures);
    }

    [SkippableTheory]
    [MemberData(nameof(Formats))]
    public void PointersToAnyStructureAndToThemselves(string format)
    {
        QemuTools.Require();
        StructureMap map = StructureMaps.Of(format);
        foreach (Pointer pointer in map.Pointers)
        {
            ulong now = pointer.Field.Get(map.Image);
            foreach (Structure structure in map.Structures)
            {
                if (pointer.ValueOf(structure.Start) is { } value && value != now)
                {
                    string what = $"{pointer.Field.Name} = 0x{value:x}, which is {structure.Name}";
                    byte[] bad = map.Reseal(pointer.Field.With(map.Image, value));
                    Collect(() => map.Survive(bad, what));
                    if (map.IsForQemu)
                    {
                        Collect(() => AssertNotOtherThanQemu(map, bad, what));
                    }
                }
            }
        }

        Assert.Empty(_failures);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void ChecksumsThatAreWrong(string format)
    {
        StructureMap map = StructureMaps.Of(format);
        foreach (Structure structure in map.Sealed)
        {
            foreach (int at in new[] { structure.Start, structure.Start + (structure.Length / 2), structure.End - 1 })
            {
                byte[] bad = [.. map.Image];
                bad[at] ^= 0x40;
                Collect(() => map.Survive(bad, $"{structure.Name}, byte {at} damaged", map.Guest));
            }
        }

        Assert.Empty(_failures);

        // Where all copies are damaged nothing of it may be believed.
        byte[] all = [.. map.Image];
        foreach (Structure structure in map.Sealed)
        {
            all[structure.End - 1] ^= 0x40;
        }

        Assert.Equal(map.Sealed.Count > 0, map.Survive(all, "all checksums wrong") is not null);
    }

    // All that fails is told at once.
    private void Collect(Action assertion)
    {
        try
        {
            assertion();
        }
        catch (Xunit.Sdk.XunitException e)
        {
            _failures.Add(e.Message);
        }
    }

    // Where both can read it to the end, both read the same.
    private void AssertNotOtherThanQemu(StructureMap map, byte[] bad, string what)
    {
        byte[] ours;
        try
        {
            using LayeredDisk disk = map.Open(bad);
            if (disk.VirtualSize > 64 << 20)
            {
                return;
            }

            ours = FormatKit.ReadAll(disk);
        }
        catch (ImageException)
        {
            return;
        }

        DamagedImages.WriteSparse(_directory["image"], bad);
        foreach ((string name, byte[] content) in map.Others)
        {
            File.WriteAllBytes(_directory[name], content);
        }

        if (QemuTools.TryImg("convert", "-f", map.Format, "-O", "raw", _directory[map.Top], _directory["raw"]).ExitCode == 0)
        {
            byte[] theirs = File.ReadAllBytes(_directory["raw"]);
            int same = theirs.AsSpan().CommonPrefixLength(ours);
            Assert.True(same == theirs.Length && same == ours.Length, $"{map.Format}: {what}: {ours.Length} bytes here and {theirs.Length} of qemu-img differ from 0x{same:x} on");
        }
    }
}
