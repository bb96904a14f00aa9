namespace ImageCluster.Imaging.Formats.Capabilities;

/// <summary>A layer, open for writing, whose create options can be changed (amend).</summary>
public interface IAmendable
{
    void Amend(AmendRequest request);
}

/// <summary>What is to be changed.</summary>
public sealed record AmendRequest
{
    /// <summary>Values by name; only what is to change. See <see cref="ImageFormat.AmendOptions"/>.</summary>
    public required IReadOnlyDictionary<string, string> Options { get; init; }

    /// <summary>Do what may lose access to the data (erase the last key).</summary>
    public bool Force { get; init; }

    /// <summary>Secrets by QEMU's option name; see <see cref="OpenContext.Secret"/>.</summary>
    public Func<string, byte[]?> Secret { get; init; } = static _ => null;

    /// <summary>
    /// Changes the size of the guest's disk, in bytes, with all that belongs to it in the chain (<see cref="Operations.Resizer"/>); null where there is no backing
    /// file and the layer may do it by itself.
    /// </summary>
    public Action<long>? Resize { get; init; }

    /// <summary>Called with work done and work to do, in units that only their ratio has a meaning for.</summary>
    public Action<long, long>? Progress { get; init; }
}
