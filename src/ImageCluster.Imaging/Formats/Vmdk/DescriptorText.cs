using System.Text;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>The descriptor of a new disk, in qemu-img's wording.</summary>
internal static class DescriptorText
{
    /// <param name="settings">What was asked for.</param>
    /// <param name="contentId">The new disk's.</param>
    /// <param name="parentContentId">The backing file's, or <see cref="Descriptor.NoParent"/>.</param>
    /// <param name="extents">Sectors and file name of each, in guest order.</param>
    public static byte[] Build(CreateSettings settings, uint contentId, uint parentContentId, IEnumerable<(long Sectors, string FileName)> extents)
    {
        StringBuilder text = new();
        text.Append("# Disk DescriptorFile\nversion=1\n");
        text.Append($"CID={contentId:x}\nparentCID={parentContentId:x}\n");
        text.Append($"createType=\"{SubformatNames.NameOf(settings.Subformat)}\"\n");
        if (settings.BackingFile is not null)
        {
            text.Append($"parentFileNameHint=\"{settings.BackingFile}\"");
        }

        text.Append("\n# Extent description\n");
        foreach ((long sectors, string fileName) in extents)
        {
            text.Append(settings.Flat ? $"RW {sectors} FLAT \"{fileName}\" 0\n" : $"RW {sectors} SPARSE \"{fileName}\"\n");
        }

        text.Append("\n# The Disk Data Base\n#DDB\n\n");
        text.Append($"ddb.virtualHWVersion = \"{settings.HardwareVersion}\"\n");
        text.Append($"ddb.geometry.cylinders = \"{settings.Cylinders}\"\n");
        text.Append($"ddb.geometry.heads = \"{settings.Heads}\"\n");
        text.Append($"ddb.geometry.sectors = \"{CreateSettings.SectorsPerTrack}\"\n");
        text.Append($"ddb.adapterType = \"{settings.AdapterType}\"\n");
        text.Append($"ddb.toolsVersion = \"{settings.ToolsVersion}\"\n");
        return NameText.GetBytes(text.ToString());
    }
}
