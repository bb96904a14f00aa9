using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>Links in a directory to block devices over files there: <c>disk</c> over <c>disk.img</c> and, for reading only, <c>cd</c> over <c>cd.img</c>.</summary>
internal sealed class BlockDevices : IDisposable
{
    private readonly List<LoopDevice> _devices = [];

    public BlockDevices(string directory)
    {
        Add(directory, "disk", isReadOnly: false);
        Add(directory, "cd", isReadOnly: true);
    }

    public void Dispose() => _devices.ForEach(static device => device.Dispose());

    private void Add(string directory, string name, bool isReadOnly)
    {
        LoopDevice device = LoopDevice.Over(Path.Combine(directory, name + ".img"), isReadOnly);
        _devices.Add(device);
        File.CreateSymbolicLink(Path.Combine(directory, name), device.Path);
    }
}
