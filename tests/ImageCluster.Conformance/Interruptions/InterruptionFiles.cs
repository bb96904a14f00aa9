using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance.Interruptions;

/// <summary>The files that commands are interrupted on: made once, copied to memory for each.</summary>
public sealed class InterruptionFiles : IDisposable
{
    private readonly TempDirectory _directory = new(Directory.Exists("/dev/shm") ? "/dev/shm" : null);

    public InterruptionFiles() => Inputs = new Inputs(_directory.Path);

    internal Inputs Inputs { get; }

    public void Dispose() => _directory.Dispose();
}
