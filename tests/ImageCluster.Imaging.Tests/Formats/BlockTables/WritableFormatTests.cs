using System.Text.Json;
using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.BlockTables;

/// <summary>What holds for every format that is read and written; a format's own class says which options and sizes to try.</summary>
public abstract class WritableFormatTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    protected WritableFormatTests(string format)
    {
        FormatName = format;
        Kit = new FormatKit(format, new LocalFileLocator());
    }

    protected string FormatName { get; }

    protected FormatKit Kit { get; }

    /// <summary>Options of <c>-o</c>, one set a string.</summary>
    protected abstract IReadOnlyList<string> OptionSets { get; }

    /// <summary>Guest sizes in bytes; multiples of 512.</summary>
    protected virtual IReadOnlyList<int> Sizes { get; } = [512, 1 << 20, (3 << 20) + 512, (9 << 20) - 512 * 7];

    /// <summary>False where a file is made longer here than by qemu-img, for a reason.</summary>
    protected virtual bool HasSameLength(string options) => true;

    /// <summary>7-Zip's name of the format, null where it has none.</summary>
    protected virtual string? SevenZipType => null;

    /// <summary>The option sets whose images 7-Zip can read, whoever made them.</summary>
    protected virtual IReadOnlyList<string> SevenZipOptionSets => OptionSets;

    /// <summary>The library of another project that reads the format, null where there is none.</summary>
    protected virtual LibraryReader? Library => null;

    /// <summary>True where qemu-img check knows the format.</summary>
    protected virtual bool HasCheck => true;

    protected string this[string name] => _directory[name];

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    [SkippableFact]
    public void ImagesMadeByQemuReadBackEqual()
    {
        QemuTools.Require();
        foreach ((string options, int size) in Cases())
        {
            byte[] guest = WriteRaw(size, seed: size);
            Kit.QemuMake(this["raw"], this["qemu"], options);
            using LayeredDisk disk = Kit.Open(this["qemu"]);
            AssertGuest(guest, FormatKit.ReadAll(disk), options);
            AssertGuest(guest, FormatKit.ReadByExtents(disk), options);
            Random random = new(size);
            for (int i = 0; i < 20; i++)
            {
                int from = random.Next(size);
                byte[] part = new byte[random.Next(1, size - from + 1)];
                disk.Read(from, part);
                Assert.True(part.AsSpan().SequenceEqual(guest.AsSpan(from, part.Length)), $"{options}: {part.Length} bytes at {from} differ");
            }
        }
    }

    [SkippableFact]
    public void ImagesFilledHereSatisfyQemu()
    {
        QemuTools.Require();
        foreach ((string options, int size) in Cases())
        {
            byte[] guest = WriteRaw(size, seed: size + 1);
            Kit.Fill(this["ours"], guest, options);
            AssertQemuSees(guest, this["ours"], options);
            Kit.QemuMake(this["raw"], this["qemu"], options);
            AssertSameInfo(this["qemu"], this["ours"], options);
            if (HasSameLength(options))
            {
                Assert.Equal(new FileInfo(this["qemu"]).Length, new FileInfo(this["ours"]).Length);
            }
        }
    }

    [SkippableFact]
    public void EmptyImagesSatisfyQemu()
    {
        QemuTools.Require();
        foreach ((string options, int size) in Cases())
        {
            Kit.Create(this["ours"], size, options);
            WriteRaw(new byte[size]);
            AssertQemuSees(new byte[size], this["ours"], options);
            QemuTools.Img(["create", "-q", "-f", FormatName, .. options.Length > 0 ? ["-o", options] : Array.Empty<string>(), this["qemu"], $"{size}"]);
            AssertSameInfo(this["qemu"], this["ours"], options);
            byte[] ours = File.ReadAllBytes(this["ours"]);
            byte[] qemu = File.ReadAllBytes(this["qemu"]);
            Normalize(ours);
            Normalize(qemu);
            AssertSame(qemu, HasSameLength(options) ? ours : ours.AsSpan(0, qemu.Length), options);
        }
    }

    [Fact]
    public void FillingGivesTheSameBytesAtAnyNumberOfThreads()
    {
        foreach (string options in OptionSets)
        {
            byte[] guest = GuestContent.Make(Sizes[^1], 11);
            byte[]? first = null;
            foreach (int threads in (int[])[1, 2, 5])
            {
                Kit.Fill(this["ours"], guest, options, threads);
                byte[] bytes = File.ReadAllBytes(this["ours"]);
                Normalize(bytes);
                AssertSame(first ??= bytes, bytes, $"{options} {threads} threads");
            }
        }
    }

    [SkippableFact]
    public void WritingInPlaceKeepsToAModel()
    {
        QemuTools.Require();
        foreach (string options in OptionSets)
        {
            int size = Sizes[^1];
            byte[] model = WriteRaw(size, seed: 5);
            Kit.QemuMake(this["raw"], this["ours"], options);
            using (LayeredDisk opened = Kit.Open(this["ours"]))
            {
                Array.Resize(ref model, (int)opened.VirtualSize);
            }

            GenSteps(model.Length).Holds(steps => Play(steps, model, options), cases: 3);
            File.WriteAllBytes(this["raw"], model);
            AssertQemuSees(model, this["ours"], options);
        }
    }

    [SkippableFact]
    public void AnotherLibraryReadsTheSame()
    {
        Skip.If(Library is null, $"no other library for {FormatName}");
        foreach (string options in OptionSets)
        {
            byte[] guest = GuestContent.Make(Sizes[^1], 13);
            Kit.Fill(this["ours"], guest, options);
            using LayeredDisk disk = Kit.Open(this["ours"]);
            Assert.Contains($"({disk.VirtualSize} bytes)", Library.Describe(this["ours"]), StringComparison.Ordinal);
            if (Library.Read(this["ours"], this["mount"]) is { } read)
            {
                AssertGuest(guest, read, options);
            }
        }
    }

    [SkippableFact]
    public void SevenZipReadsTheSame()
    {
        Skip.If(SevenZipType is null, $"7-Zip does not know {FormatName}");
        foreach (string options in SevenZipOptionSets)
        {
            byte[] guest = GuestContent.Make(Sizes[^1] & ~4095, 21);
            string directory = this["extracted-" + options];
            Kit.Fill(this["ours"], guest, options);
            AssertGuest(guest, SevenZip.Extract(SevenZipType, this["ours"], directory), options);
        }
    }

    [SkippableFact]
    public void FieldsOutOfRangeAreRefusedAsQemuDoes()
    {
        QemuTools.Require();
        byte[] image = SmallImage(out _);
        List<string?> differences = [];
        foreach (Field field in Fields(image))
        {
            foreach (ulong value in field.BadValues(image))
            {
                string what = $"{field.Name} = 0x{value:x}";
                byte[] bad = Reseal(field.With(image, value));
                DamagedImages.Survive(FormatName, bad, what);
                if (!IsBetterThanQemu(field, value))
                {
                    differences.Add(DamagedImages.CompareRefusal(FormatName, bad, this["bad"], what));
                }
            }
        }

        Assert.Empty(differences.OfType<string>());
    }

    [Fact]
    public void TruncatedImagesAreRefusedOrReadRight()
    {
        byte[] image = SmallImage(out byte[] guest);
        int[] cuts = [.. Boundaries(image), 0, 1, 511, 512, 513, 1024, 4095, 4096, 65536, image.Length / 2, image.Length - 513, image.Length - 512, image.Length - 1];
        foreach (int cut in cuts.Distinct().Where(cut => cut >= 0 && cut < image.Length))
        {
            DamagedImages.Survive(FormatName, image[..cut], $"cut at {cut}", guest);
        }
    }

    [Fact]
    public void RandomDamageGivesNothingButClearErrors()
    {
        byte[] image = SmallImage(out _);
        int metadata = Math.Min(image.Length, MetadataLength);
        Gen.Select(Gen.Int[0, metadata - 1], Gen.Byte).Array[1, 6].Holds(
            changes =>
            {
                byte[] bad = [.. image];
                foreach ((int at, byte value) in changes)
                {
                    bad[at] = value;
                }

                DamagedImages.Survive(FormatName, Reseal(bad), "damage at " + string.Join(", ", changes));
            },
            cases: 100);
    }

    [Fact]
    public void ACrashLosesNothingThatWasFlushed()
    {
        MemoryLocator start = new() { ["a"] = SmallImage(out byte[] guest) };
        CrashLocator disk = new(start);
        List<(int Instant, byte[] Guest)> flushed = [];
        SortedSet<int>[] touched = [.. Enumerable.Range(0, 5).Select(_ => new SortedSet<int>())];
        using (LayeredDisk writer = new FormatKit(FormatName, disk).Open("a", write: true))
        {
            Array.Resize(ref guest, (int)writer.VirtualSize);
            flushed.Add((0, [.. guest]));
            Random random = new(4);
            foreach (SortedSet<int> sectors in touched)
            {
                for (int i = 0; i < 3; i++)
                {
                    int from = random.Next(guest.Length / 512) * 512;
                    int length = Math.Min(random.Next(1, 200) * 512, guest.Length - from);
                    random.NextBytes(guest.AsSpan(from, length));
                    writer.Write(from, guest.AsSpan(from, length));
                    sectors.UnionWith(Enumerable.Range(from / 512, length / 512));
                }

                writer.Flush();
                flushed.Add((disk.Instants, [.. guest]));
            }
        }

        foreach (int instant in disk.FlushPoints)
        {
            for (int seed = -1; seed < 2; seed++)
            {
                MemoryLocator found = seed < 0 ? disk.AfterCrash(instant) : disk.AfterCrash(instant, seed);
                int last = flushed.FindLastIndex(f => f.Instant <= instant);
                AssertSurvived(found, flushed[last].Guest, last < touched.Length ? touched[last] : [], $"crash at {instant}, seed {seed}");
            }
        }
    }

    /// <summary>True for a finding that a crash may leave behind.</summary>
    protected virtual bool MayCrashLeave(string finding) => false;

    private void AssertSurvived(MemoryLocator found, byte[] guest, SortedSet<int> unsure, string what)
    {
        using LayeredDisk disk = new FormatKit(FormatName, found).Open("a", forCheck: true);
        byte[] seen = FormatKit.ReadAll(disk);
        for (int sector = 0; sector < guest.Length / 512; sector++)
        {
            bool same = seen.AsSpan(sector * 512, 512).SequenceEqual(guest.AsSpan(sector * 512, 512));
            Assert.True(same || unsure.Contains(sector), $"{what}: sector {sector} is lost");
        }

        CheckReport? report = (disk.Top as ICheckable)?.Check(CheckRepair.None);
        Assert.Empty(report?.Messages.Where(finding => !MayCrashLeave(finding)) ?? []);
    }

    /// <summary>A small image with data, zeros and gaps, and its guest's bytes; made here.</summary>
    protected virtual byte[] SmallImage(out byte[] guest)
    {
        guest = GuestContent.Make(Sizes[^2], 77);
        Kit.Fill(this["small"], guest, OptionSets[0]);
        return File.ReadAllBytes(this["small"]);
    }

    /// <summary>The fields of the header that sizes, counts and places depend on.</summary>
    protected abstract IEnumerable<Field> Fields(byte[] image);

    /// <summary>Where the structures of an image end.</summary>
    protected virtual IEnumerable<int> Boundaries(byte[] image) => [];

    /// <summary>So many bytes at an image's start hold metadata.</summary>
    protected abstract int MetadataLength { get; }

    /// <summary>Makes checksums right again after a change.</summary>
    protected virtual byte[] Reseal(byte[] image) => image;

    /// <summary>True where the engine refuses what qemu-img takes, or the other way round, for a reason.</summary>
    protected virtual bool IsBetterThanQemu(Field field, ulong value) => false;

    /// <summary>Clears what is random or a date in an image, so that two can be compared.</summary>
    protected abstract void Normalize(byte[] image);

    protected byte[] WriteRaw(int size, int seed)
    {
        byte[] guest = GuestContent.Make(size, seed);
        WriteRaw(guest);
        return guest;
    }

    protected void WriteRaw(byte[] guest) => File.WriteAllBytes(this["raw"], guest);

    protected void AssertQemuSees(byte[] guest, string image, string what)
    {
        ToolResult compared = QemuTools.TryImg("compare", "-f", "raw", "-F", FormatName, this["raw"], image);
        Assert.True(compared.ExitCode == 0, $"{what}: {compared.Output}{compared.Error}");
        if (HasCheck)
        {
            ToolResult check = QemuTools.TryImg("check", "-f", FormatName, image);
            Assert.True(check.ExitCode == 0, $"{what}: {check.Output}{check.Error}");
        }

        using LayeredDisk disk = Kit.Open(image);
        AssertGuest(guest, FormatKit.ReadAll(disk), what);
    }

    protected void AssertSameInfo(string expected, string actual, string what)
    {
        using JsonDocument a = JsonDocument.Parse(QemuTools.Img("info", "-f", FormatName, "--output=json", expected));
        using JsonDocument b = JsonDocument.Parse(QemuTools.Img("info", "-f", FormatName, "--output=json", actual));
        foreach (JsonProperty property in a.RootElement.EnumerateObject().Where(p => p.Name is not ("filename" or "actual-size")))
        {
            Assert.Equal($"{what} {property.Name} {property.Value.GetRawText()}", $"{what} {property.Name} {b.RootElement.GetProperty(property.Name).GetRawText()}");
        }
    }

    protected static void AssertSame(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, string what)
    {
        int same = expected.CommonPrefixLength(actual);
        Assert.True(same == expected.Length && same == actual.Length, $"{what}: {expected.Length} and {actual.Length} bytes differ from {same} (0x{same:x}) on");
    }

    // A format may round the guest's size up: what is added reads as zeros.
    private static void AssertGuest(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, string what)
    {
        int same = expected.CommonPrefixLength(actual);
        Assert.True(same == expected.Length, $"{what}: guest bytes differ at {same} (0x{same:x})");
        Assert.True(actual[same..].IndexOfAnyExcept((byte)0) < 0, $"{what}: what is behind the guest's end is not zero");
    }

    private IEnumerable<(string Options, int Size)> Cases()
    {
        foreach (string options in OptionSets)
        {
            foreach (int size in Sizes)
            {
                yield return (options, size);
            }
        }
    }

    private sealed record Step(int Kind, int Offset, int Length, int Seed);

    private static Gen<List<Step>> GenSteps(int size) =>
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, size - 1], Gen.Int[1, 600_000], Gen.Int, Gen.Bool)
            .Select(t => new Step(t.Item1, t.Item5 ? t.Item2 : t.Item2 & ~511, Math.Min(t.Item3, size - (t.Item5 ? t.Item2 : t.Item2 & ~511)), t.Item4))
            .List[1, 25];

    private void Play(List<Step> steps, byte[] model, string options)
    {
        using (LayeredDisk disk = Kit.Open(this["ours"], write: true))
        {
            foreach (Step step in steps)
            {
                Span<byte> part = model.AsSpan(step.Offset, step.Length);
                switch (step.Kind)
                {
                    case 0:
                        part.Clear();
                        disk.WriteZeroes(step.Offset, step.Length, ZeroMode.MayUnmap);
                        break;
                    case 1:
                        part.Clear();
                        disk.WriteZeroes(step.Offset, step.Length, ZeroMode.KeepAllocated);
                        break;
                    case 2:
                        disk.Flush();
                        break;
                    case 3:
                        byte[] seen = new byte[step.Length];
                        disk.Read(step.Offset, seen);
                        Assert.True(part.SequenceEqual(seen), $"{options}: {step.Length} bytes at {step.Offset} differ");
                        break;
                    default:
                        new Random(step.Seed).NextBytes(part);
                        disk.Write(step.Offset, part);
                        break;
                }
            }

            AssertSame(model, FormatKit.ReadAll(disk), options);
        }

        using LayeredDisk again = Kit.Open(this["ours"]);
        AssertSame(model, FormatKit.ReadByExtents(again), options);
    }
}
