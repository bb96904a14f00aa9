namespace ImageCluster.Imaging.Formats;

/// <summary>Every format there is, in one list. Adding a format is adding its folder and its line here.</summary>
public static class FormatRegistry
{
    /// <summary>In the order in which probing asks them; of equal scores the first wins.</summary>
    public static IReadOnlyList<ImageFormat> All { get; } =
    [
        new Qed.QedFormat(),
        new Parallels.ParallelsFormat(),
        new Vdi.VdiFormat(),
        new Qcow2.Qcow2Format(),
        new Vmdk.VmdkFormat(),
        new Raw.RawFormat(),
        new Vpc.VpcFormat(),
        new Vhdx.VhdxFormat(),
        new Qcow.QcowFormat(),
        new Bochs.BochsFormat(),
        new Cloop.CloopFormat(),
        new Dmg.DmgFormat(),
        new Luks.LuksFormat(),
    ];

    /// <summary>The format of that name, or null.</summary>
    public static ImageFormat? Find(string name) => All.FirstOrDefault(format => format.Name == name);
}
