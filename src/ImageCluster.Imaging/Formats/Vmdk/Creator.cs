namespace ImageCluster.Imaging.Formats.Vmdk;

/// <summary>Makes empty disks, laid out as qemu-img lays them out.</summary>
internal static class Creator
{
    public static void Create(CreateRequest request)
    {
        using NewDisk disk = NewDisk.Create(request);
        disk.Complete();
    }
}
