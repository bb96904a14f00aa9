using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Capabilities;
using ImageCluster.Imaging.Formats.Qcow2;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Formats.Qcow2;

/// <summary>The one image of the tests that cut the power: made, opened and checked where its files are.</summary>
internal static class CrashImage
{
    public const string Name = "a.qcow2";

    /// <param name="options">As behind -o: name=value, separated by commas.</param>
    /// <param name="size">Bytes of the guest's disk.</param>
    public static MemoryLocator New(string options, int size)
    {
        MemoryLocator files = new();
        new Qcow2Format().Create(new CreateRequest
        {
            FileName = Name,
            Locator = files,
            VirtualSize = size,
            Options = options.Split(',').Select(option => option.Split('=')).ToDictionary(parts => parts[0], parts => parts[1]),
        });
        return files;
    }

    public static WritableQcow2Image Open(IFileLocator files) => (WritableQcow2Image)new Qcow2Format().Open(new OpenContext
    {
        File = files.Open(Name, OpenMode.ReadWrite),
        FileName = Name,
        Locator = files,
        Mode = OpenMode.ReadWrite,
    });

    /// <summary>Without repairing anything, also what opening for writing would repair.</summary>
    public static CheckReport Check(MemoryLocator files)
    {
        using IImageLayer image = new Qcow2Format().Open(new OpenContext
        {
            File = files.Open(Name, OpenMode.ReadOnly),
            FileName = Name,
            Locator = files,
            ForCheck = true,
        });
        return ((ICheckable)image).Check(CheckRepair.None);
    }
}
