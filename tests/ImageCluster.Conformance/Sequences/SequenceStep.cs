namespace ImageCluster.Conformance.Sequences;

/// <summary>What a sequence does to its image. Each is drawn as often as it stands in <see cref="SequenceKind.Steps"/>.</summary>
internal enum SequenceStep
{
    /// <summary>A pattern written by either program's bench.</summary>
    Write,

    /// <summary>A file copied into a range of the guest's disk by either program's convert -n.</summary>
    Copy,

    /// <summary>Zeros written by qemu-io, sometimes with leave to unmap.</summary>
    Zero,

    /// <summary>A range that the guest gives up, by qemu-io.</summary>
    Discard,

    /// <summary>One cluster written compressed by qemu-io.</summary>
    Compress,

    /// <summary>snapshot -c</summary>
    Snapshot,

    /// <summary>snapshot -a</summary>
    Apply,

    /// <summary>snapshot -d</summary>
    Delete,

    Resize,
    Amend,
    Commit,
    Rebase,
    Bitmap,

    /// <summary>check -r, which finds nothing to do.</summary>
    Repair,

    /// <summary>A whole disk copied into it by either program's convert -n, with options.</summary>
    Overwrite,

    /// <summary>A key slot filled or emptied.</summary>
    Keys,
}
