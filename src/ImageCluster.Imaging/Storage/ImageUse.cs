namespace ImageCluster.Imaging.Storage;

/// <summary>
/// What an image is opened for, as far as others beside us go. All but the first are qemu-img's (QEMU's block/block-backend.c: <c>blk_new_open</c>, and
/// <c>bdrv_default_perms</c> in block.c): what it asks of a file depends on <see cref="FileRole"/>.
/// </summary>
public enum ImageUse
{
    /// <summary>No writer beside us, and nobody at all beside us where we write, whatever the file is.</summary>
    Exclusive,

    /// <summary>Its tables are looked at and none of its content (<c>info</c>).</summary>
    Look,

    /// <summary>Its content is read; others may read and write a raw image meanwhile.</summary>
    Read,

    /// <summary>It is read, and must not change meanwhile (the source of <c>convert</c>).</summary>
    Source,

    /// <summary>It is read and written; others may do the same to a raw image.</summary>
    Write,

    /// <summary>Its length is changed (<c>resize</c>).</summary>
    Resize,
}
