using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;

namespace ImageCluster.Testing.Archives;

/// <summary>Makes appliances for tests.</summary>
public static class OvaBuilder
{
    public static byte[] Tar(TarEntryFormat format, params IEnumerable<(string Name, byte[] Content)> members)
    {
        MemoryStream stream = new();
        using (TarWriter writer = new(stream, format, leaveOpen: true))
        {
            foreach ((string name, byte[] content) in members)
            {
                TarEntry entry = format switch
                {
                    TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name),
                    TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, name),
                    TarEntryFormat.V7 => new V7TarEntry(TarEntryType.V7RegularFile, name),
                    _ => new PaxTarEntry(TarEntryType.RegularFile, name),
                };
                entry.DataStream = new MemoryStream(content);
                writer.WriteEntry(entry);
            }
        }

        return stream.ToArray();
    }

    /// <summary>An appliance: its descriptor, the disks, and (last) a manifest.</summary>
    public static byte[] Ova(params (string Name, byte[] Content)[] disks)
    {
        byte[] ovf = Encoding.UTF8.GetBytes(Ovf([.. disks.Select(disk => (disk.Name, ""))]));
        List<(string, byte[])> members = [("vm.ovf", ovf), .. disks];
        members.Add(("vm.mf", Manifest([("vm.ovf", ovf), .. disks])));
        return Tar(TarEntryFormat.Ustar, members);
    }

    public static byte[] Manifest(params IEnumerable<(string Name, byte[] Content)> files) =>
        Encoding.UTF8.GetBytes(string.Concat(files.Select(file => $"SHA256({file.Name})= {Convert.ToHexStringLower(SHA256.HashData(file.Content))}\n")));

    /// <summary>As VMware writes it. Attributes are what stands in a File element beside its id and href.</summary>
    public static string Ovf(params (string Name, string Attributes)[] disks)
    {
        StringBuilder files = new();
        StringBuilder section = new();
        for (int i = 1; i <= disks.Length; i++)
        {
            files.AppendLine($"""    <File ovf:href="{disks[i - 1].Name}" ovf:id="file{i}" {disks[i - 1].Attributes}/>""");
            section.AppendLine($"""    <Disk ovf:capacity="{i}" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk{i}" ovf:fileRef="file{i}" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>""");
        }

        return $"""
            <?xml version="1.0" encoding="UTF-8"?>
            <Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
              <References>
            {files}  </References>
              <DiskSection>
                <Info>Virtual disk information</Info>
            {section}    <Disk ovf:capacity="5" ovf:diskId="blank"/>
              </DiskSection>
              <VirtualSystem ovf:id="web01"><Info>A virtual machine</Info></VirtualSystem>
            </Envelope>
            """;
    }
}
