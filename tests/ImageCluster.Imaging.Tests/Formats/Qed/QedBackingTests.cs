using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Tests.Formats.BlockTables;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Imaging.Tests.Formats.Qed;

public sealed class QedBackingTests() : BackingFormatTests("qed")
{
    protected override string Options => ",cluster_size=8192,table_size=2";

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public void TheBackingFileIsNamedAsQemuDoes(string backingFormat)
    {
        QemuTools.Require();
        QemuTools.Img("create", "-q", "-f", backingFormat, this["base"], "8M");
        QemuTools.Img("create", "-q", "-f", "qed", "-b", this["base"], "-F", backingFormat, this["qemu"]);
        FormatKit kit = new("qed", new LocalFileLocator());
        kit.Create(this["overlay"], 8 << 20, $"backing_file={this["base"]},backing_fmt={backingFormat}");
        Assert.Equal(File.ReadAllBytes(this["qemu"]), File.ReadAllBytes(this["overlay"]));
        using LayeredDisk disk = kit.Open(this["overlay"]);
        Assert.Equal(new BackingReference(this["base"], backingFormat == "raw" ? "raw" : null), disk.Top.Backing);
    }

    [SkippableFact]
    public void ChangingTheBackingFileIsQemus()
    {
        QemuTools.Require();
        byte[] guest = MakeBase();
        FormatKit kit = new("qed", new LocalFileLocator());
        kit.Create(this["overlay"], guest.Length, $"backing_file={this["base"]},backing_fmt=raw");
        File.Copy(this["overlay"], this["qemu"]);
        File.Copy(this["base"], this["moved"]);
        foreach ((string? name, string? format) in ((string?, string?)[])[(this["moved"], "raw"), ("moved", "raw"), (null, null)])
        {
            QemuTools.Img(["rebase", "-u", "-f", "qed", "-b", name ?? "", .. format is null ? Array.Empty<string>() : ["-F", format], this["qemu"]]);
            using (LayeredDisk disk = kit.Open(this["overlay"], write: true))
            {
                ((IBackingChanger)disk.Top).ChangeBacking(name is null ? null : new BackingReference(name, format));
            }

            using LayeredDisk ours = kit.Open(this["overlay"]);
            using LayeredDisk theirs = kit.Open(this["qemu"]);
            Assert.Equal(theirs.Top.Backing, ours.Top.Backing);
        }
    }
}
