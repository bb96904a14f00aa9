using ImageCluster.Cli.Wording;
using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Cli.Demonstrating;

/// <summary>
/// Makes the demo's disks with the engine alone: a file system on a raw disk, an overlay with changes over it, a compressed copy, and a vmdk.
/// </summary>
internal sealed class DemoDisks(CliHost host, string directory)
{
    private const long DiskLength = 512L << 20;
    private const long FileBudget = 160L << 20;

    private readonly LocalFileLocator _files = new();

    /// <summary>True where the disks hold a file system.</summary>
    public bool HasFileSystem { get; private set; }

    public string Server => Path.Join(directory, "server.raw");

    public string Overlay => Path.Join(directory, "server-today.qcow2");

    public void Make()
    {
        Directory.CreateDirectory(directory);
        string changed = Path.Join(directory, "changed.tmp");
        MakeServer(changed);
        host.Stop.ThrowIfCancellationRequested();
        MakeOverlay(changed);
        Say(Overlay, "qcow2, an overlay over server.raw with today's changes");
        string archive = Path.Join(directory, "archive.qcow2");
        Convert(Server, "raw", archive, "qcow2", compress: true);
        Say(archive, "qcow2, compressed");
        string appliance = Path.Join(directory, "appliance.vmdk");
        Convert(changed, "raw", appliance, "vmdk", compress: false);
        Say(appliance, "vmdk, as VMware has it");
        _files.Delete(changed);
    }

    private void MakeServer(string changed)
    {
        FileSystemTools? tools = FileSystemTools.Find();
        HasFileSystem = tools is not null;
        if (tools is null)
        {
            host.Out.WriteLine("mke2fs and debugfs (Debian: e2fsprogs) are not here: the disks hold generated data instead of a file system.");
            GeneratedDisk.Make(_files, Server, DiskLength, FileBudget, seed: 1);
            Say(Server, "raw, generated data");
            Convert(Server, "raw", changed, "raw", compress: false);
            GeneratedDisk.Change(_files, changed, seed: 2);
            return;
        }

        string content = Path.Join(directory, "content.tmp");
        (int files, long bytes) = MachineFiles.Copy(content, FileBudget, host.Stop);
        Directory.CreateDirectory(content);
        tools.MakeFileSystem(Server, DiskLength, content);
        Directory.Delete(content, recursive: true);
        Say(Server, $"raw, ext4 with {files:#,0} of this machine's files ({Quantity.Bytes(bytes)})");
        Convert(Server, "raw", changed, "raw", compress: false);
        string program = Environment.ProcessPath ?? typeof(DemoDisks).Assembly.Location;
        tools.Change(changed, directory, ["mkdir today", $"write \"{program}\" today/program", $"write \"{typeof(DemoDisks).Assembly.Location}\" today/engine"]);
    }

    private void MakeOverlay(string changed)
    {
        var opener = new ChainOpener(_files);
        using LayeredDisk now = opener.Open(changed, new ChainOptions { Format = "raw" });
        using LayeredDisk before = opener.Open(Server, new ChainOptions { Format = "raw" });
        Fill(new DifferenceSource(now, before), Overlay, "qcow2", compress: false, new Dictionary<string, string>
        {
            ["backing_file"] = Path.GetFileName(Server),
            ["backing_fmt"] = "raw",
        });
    }

    private void Convert(string source, string sourceFormat, string target, string targetFormat, bool compress)
    {
        using LayeredDisk disk = new ChainOpener(_files).Open(source, new ChainOptions { Format = sourceFormat });
        Fill(new DiskSource(disk), target, targetFormat, compress, new Dictionary<string, string>());
    }

    private void Fill(IConvertSource source, string target, string format, bool compress, Dictionary<string, string> options)
    {
        using IFillTarget fill = FormatRegistry.Find(format)!.CreateFill(new CreateRequest
        {
            FileName = target,
            Locator = _files,
            VirtualSize = source.VirtualSize,
            Options = options,
            Compress = compress,
        });
        new Converter(source, fill, new ConvertOptions()).Run(host.Stop);
        fill.Finish();
    }

    private void Say(string file, string what) => host.Out.WriteLine($"  {Path.GetFileName(file),-19} {what}");
}
