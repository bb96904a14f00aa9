namespace ImageCluster.Testing.Storage;

internal enum FileChangeKind
{
    Create,
    Delete,
    Write,
    Zero,
    ZeroKept,
    Discard,
    SetLength,
    Allocate,
    Flush,
}

/// <summary>One change of a file. For <see cref="FileChangeKind.SetLength"/> the offset is the length.</summary>
internal sealed record FileChange(FileChangeKind Kind, string File, long Offset = 0, long Length = 0, byte[]? Data = null);
