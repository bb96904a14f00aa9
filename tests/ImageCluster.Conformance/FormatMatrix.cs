using System.Text;
using ImageCluster.Conformance.Cases;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>
/// The table of formats in the README and on the compatibility page: what each can do is asked of the engine, where it is not like qemu-img of the
/// cases. Only the notes are words.
/// </summary>
internal static class FormatMatrix
{
    private const long SomeSize = 1 << 20;

    // In the order of the table. A format that is missing here fails the test.
    private static readonly (string Format, string Notes)[] Notes =
    [
        ("raw", "holes, preallocation, block devices"),
        ("qcow2", "versions 2 and 3; zlib and zstd; every cluster size and refcount width; extended L2; external data file; snapshots; bitmaps; LUKS and the legacy AES; `amend`"),
        ("vmdk", "monolithicSparse, monolithicFlat, twoGbMaxExtentSparse, twoGbMaxExtentFlat, streamOptimized; ESXi's vmfs, vmfsSparse and seSparse are read"),
        ("vdi", "dynamic and static; leaks are repaired"),
        ("vpc", "VHD: dynamic and fixed; differencing disks are read, their parents found and checked by identity"),
        ("vhdx", "dynamic and fixed; the log is replayed; differencing disks (avhdx) are read, their parents found and checked by identity"),
        ("qcow", "compressed clusters, backing file, the legacy AES"),
        ("qed", "backing file; check repairs"),
        ("parallels", "both magics; check repairs"),
        ("luks", "LUKS1 with every cipher, mode, IV generator and hash of qemu-img's; key slots by `amend`. No detached headers, as in qemu-img 7.2"),
        ("bochs", "growing"),
        ("cloop", ""),
        ("dmg", "adc, zlib and bzip2 chunks; lzfse and lzma are refused by name"),
    ];

    /// <param name="withDifferences">Name the cases that come out otherwise than with qemu-img.</param>
    public static string Text(bool withDifferences)
    {
        Assert.Equal(FormatRegistry.All.Select(static f => f.Name).Order(), Notes.Select(static n => n.Format).Order());
        StringBuilder text = new();
        text.Append("| format | read | write | check | resize | notes |").Append(withDifferences ? " not as qemu-img in |" : "");
        text.Append("\n|---|---|---|---|---|---|").Append(withDifferences ? "---|\n" : "\n");
        foreach ((string name, string notes) in Notes)
        {
            ImageFormat format = FormatRegistry.Find(name)!;
            (bool check, bool resize) = Abilities(format);
            text.Append($"| {name} | yes | {YesNo(format.CanCreate)} | {YesNo(check)} | {YesNo(resize)} | {notes} |").Append(withDifferences ? $" {Differences(name)} |\n" : "\n");
        }

        return text.ToString();
    }

    private static string YesNo(bool value) => value ? "yes" : "no";

    // The topics whose outcome is not qemu-img's; the tables below say how and why.
    private static string Differences(string format) => string.Join("; ", AllCases.List
        .Where(c => c.Verdict != Verdict.Same && c.Format.Split(' ').Contains(format))
        .Select(static c => $"{c.Command}: {c.Topic.Replace("|", "\\|", StringComparison.Ordinal)}")
        .Distinct());

    // Asked of an empty image; what cannot be made can only be read.
    private static (bool Check, bool Resize) Abilities(ImageFormat format)
    {
        if (!format.CanCreate)
        {
            return (false, false);
        }

        MemoryLocator files = new();
        format.Create(new CreateRequest
        {
            FileName = "image",
            Locator = files,
            VirtualSize = SomeSize,
            Options = format.Name == "luks" ? new Dictionary<string, string> { ["iter-time"] = "1" } : new Dictionary<string, string>(),
            Secret = static _ => "secret"u8.ToArray(),
        });
        using IImageLayer layer = format.Open(new OpenContext
        {
            File = files.Open("image", OpenMode.ReadWrite),
            FileName = "image",
            Locator = files,
            Mode = OpenMode.ReadWrite,
            Secret = static _ => "secret"u8.ToArray(),
        });
        return (layer is ICheckable, layer is IResizable);
    }
}
