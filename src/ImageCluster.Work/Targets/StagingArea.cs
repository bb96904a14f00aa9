using System.Security.Cryptography;
using System.Text;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Storage;
using ImageCluster.Work.Native;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Work.Targets;

/// <summary>
/// Where a target is written until it is whole: a hidden directory beside its final place, on the same file system, in which the image's files
/// have their final names. An image of several files (a vmdk with flat extents) thus refers to them by the names that they will
/// have. Publishing moves the parts first and the image's own file last.
/// <para>
/// What it makes, moves and removes it reaches from the root without following a link (<see cref="HeldDirectory"/>): who may write to the root is not to have that done
/// elsewhere, with this program's rights.
/// </para>
/// </summary>
public sealed class StagingArea : TargetPlace
{
    // A file's name has at most 255 bytes: the target's own name is cut to what is left.
    private const int MaxNameBytes = 255 - 20 - 1 - 1 - 8 - 1;

    private readonly string? _root;

    /// <param name="finalPath">Absolute path of the target.</param>
    /// <param name="owner">The migration's name, or the job's: two that make one target do not write the same files.</param>
    /// <param name="root">The directory below which no link leads there; null where links count for nothing, because nobody else writes there.</param>
    public StagingArea(string finalPath, string owner, string? root = null)
    {
        _root = root;
        FinalPath = finalPath;
        FinalDirectory = Path.GetDirectoryName(finalPath) ?? throw new ArgumentException("Not the path of a file.", nameof(finalPath));
        string name = Path.GetFileName(finalPath);
        DirectoryPath = Path.Join(FinalDirectory, $".{Cut(name)}.{Key(owner)}{OwnNames.UnfinishedSuffix}");
        MainFile = Path.Join(DirectoryPath, name);
    }

    public override string FinalPath { get; }

    public override string FinalDirectory { get; }

    /// <summary>The hidden directory.</summary>
    public string DirectoryPath { get; }

    /// <summary>The image's own file while it is here.</summary>
    public string MainFile { get; }

    public bool Exists => Directory.Exists(DirectoryPath);

    public override bool HasUnfinished => File.Exists(MainFile);

    public override string? UnfinishedPath => Exists ? DirectoryPath : null;

    /// <summary>Which file the image's own is, whatever its name.</summary>
    public override string? Identity => FileStamp.Of(MainFile)?.Identity;

    /// <summary>What was noted beside the image's files; null where nothing was.</summary>
    public string? Note
    {
        get
        {
            try
            {
                return File.Exists(NoteFile) ? File.ReadAllText(NoteFile) : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new ImageException(ImageErrorKind.Io, NoteFile, e.Message.ReplaceLineEndings(" "), e);
            }
        }
    }

    /// <summary>Space that the files here occupy, in bytes.</summary>
    public override long AllocatedBytes => Exists ? Directory.EnumerateFiles(DirectoryPath).Sum(file => FileStamp.Of(file)?.AllocatedBytes ?? 0) : 0;

    /// <summary>An empty directory, durably there.</summary>
    public override void StartAnew()
    {
        Remove();
        HeldDirectory.Create(_root, DirectoryPath);
    }

    /// <summary>Notes something for whoever goes on with the image, durably. It is no part of the image.</summary>
    public void WriteNote(string text)
    {
        try
        {
            using HeldDirectory hidden = HeldDirectory.Open(_root, DirectoryPath) ??
                throw new ImageException(ImageErrorKind.NotFound, DirectoryPath, "The unfinished target of this job is gone");
            string path = Path.Join(hidden.Path, OwnNames.Note);
            // What is there under that name may be a link.
            File.Delete(path);
            using (SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write))
            {
                RandomAccess.Write(file, Encoding.UTF8.GetBytes(text), 0);
                RandomAccess.FlushToDisk(file);
            }

            HostFiles.SyncDirectory(hidden.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ImageException(ImageErrorKind.Io, NoteFile, e.Message.ReplaceLineEndings(" "), e);
        }
    }

    /// <summary>Removes the image's files: who still has one open writes to nothing that counts.</summary>
    public override void Clear() => Removing((_, hidden) =>
    {
        foreach (string file in FilesIn(hidden))
        {
            File.Delete(file);
        }
    });

    /// <summary>Removes what was written; what is not there is no error.</summary>
    public override void Remove() => Removing((final, hidden) =>
    {
        foreach (string file in Directory.GetFiles(hidden.Path))
        {
            File.Delete(file);
        }

        foreach (string directory in Directory.GetDirectories(hidden.Path))
        {
            Directory.Delete(directory, recursive: true);
        }

        Directory.Delete(Path.Join(final.Path, Path.GetFileName(DirectoryPath)));
    });

    /// <summary>The names of this image's files lead here; all others are <paramref name="inner"/>'s.</summary>
    public override IFileLocator Locator(IFileLocator inner) => new StagingLocator(this, inner);

    public override bool KeepsShards(ImageFormat format) => true;

    public override void Sync() => HostFiles.SyncDirectory(DirectoryPath);

    public override IBlockFile OpenMain(IFileLocator files) => files.Open(MainFile, OpenMode.ReadWrite with { Lock = ImageLock.None });

    /// <summary>
    /// Gives the finished image its name, durably. Killed in between and called again it goes on: what was moved is no longer here.
    /// </summary>
    /// <param name="replace">Puts the image in the place of one that is there; else that is <see cref="ImageErrorKind.Exists"/> and nothing is moved.</param>
    public override void Publish(bool replace)
    {
        using (HeldDirectory? final = HeldDirectory.Open(_root, FinalDirectory))
        {
            using HeldDirectory? hidden = final?.Below(Path.GetFileName(DirectoryPath));
            if (final is not null && hidden is not null)
            {
                Publish(final, hidden, replace);
            }

            HostFiles.SyncDirectory(final?.Path ?? FinalDirectory);
        }

        Remove();
    }

    private void Publish(HeldDirectory final, HeldDirectory hidden, bool replace)
    {
        string main = Path.GetFileName(MainFile);
        string[] parts = [.. FilesIn(hidden).Select(file => Path.GetFileName(file)).Where(name => name != main).Order(StringComparer.Ordinal)];
        bool hasMain = File.Exists(Path.Join(hidden.Path, main));
        if (!replace)
        {
            RefuseTaken(final, hasMain ? [.. parts, main] : parts);
        }

        foreach (string part in parts)
        {
            Move(final, hidden, part, replace);
        }

        if (parts.Length > 0)
        {
            HostFiles.SyncDirectory(final.Path);
        }

        if (hasMain)
        {
            Move(final, hidden, main, replace);
        }
    }

    /// <summary>The directories of unfinished targets of an owner below a root.</summary>
    public static IReadOnlyList<string> Find(string root, string owner)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint };
        return [.. Directory.EnumerateDirectories(root, $".*.{Key(owner)}{OwnNames.UnfinishedSuffix}", options)];
    }

    private static string Key(string owner) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(owner)).AsSpan(0, 4));

    private string NoteFile => Path.Join(DirectoryPath, OwnNames.Note);

    private static IEnumerable<string> FilesIn(HeldDirectory hidden) => Directory.GetFiles(hidden.Path).Where(file => Path.GetFileName(file) != OwnNames.Note);

    // Where it is there.
    private void Removing(Action<HeldDirectory, HeldDirectory> remove)
    {
        using HeldDirectory? final = HeldDirectory.Open(_root, FinalDirectory);
        using HeldDirectory? hidden = final?.Below(Path.GetFileName(DirectoryPath));
        if (final is null || hidden is null)
        {
            return;
        }

        try
        {
            remove(final, hidden);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string what = final.Plain(hidden.Plain(e.Message)).ReplaceLineEndings(" ");
            throw new ImageException(ImageErrorKind.Io, DirectoryPath, $"Could not remove the unfinished target: {what}", e);
        }
    }

    private void RefuseTaken(HeldDirectory directory, string[] names)
    {
        foreach (string name in names)
        {
            string final = Path.Join(FinalDirectory, name);
            if (Path.Exists(Path.Join(directory.Path, name)))
            {
                throw new ImageException(ImageErrorKind.Exists, final, "A file of the target's name is there")
                {
                    Hint = $"Move it away and run the same command again; the finished image waits in {DirectoryPath}",
                };
            }
        }
    }

    private void Move(HeldDirectory final, HeldDirectory hidden, string name, bool replace)
    {
        (string from, string to) = (Path.Join(hidden.Path, name), Path.Join(final.Path, name));
        try
        {
            if (replace)
            {
                HostFiles.RenameOver(from, to);
            }
            else
            {
                HostFiles.RenameNew(from, to);
            }
        }
        catch (ImageException e)
        {
            throw new ImageException(e.Kind, Path.Join(FinalDirectory, name), final.Plain(hidden.Plain(e.Message)), e) { Errno = e.Errno };
        }
    }

    private static string Cut(string name)
    {
        while (Encoding.UTF8.GetByteCount(name) > MaxNameBytes)
        {
            name = name[..^(name.Length > 1 && char.IsLowSurrogate(name[^1]) ? 2 : 1)];
        }

        return name;
    }

    /// <summary>Shows the engine the image at its final name from the first byte on.</summary>
    private sealed class StagingLocator(StagingArea area, IFileLocator inner) : IFileLocator
    {
        public IBlockFile Open(string name, OpenMode mode) => inner.Open(Staged(name) is { } staged && inner.Exists(staged) ? staged : name, mode);

        public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false) =>
            inner.Create(Staged(name) ?? throw Outside(name), length, mode, mustBeNew);

        public bool Exists(string name) => Staged(name) is { } staged && inner.Exists(staged) ? true : inner.Exists(name);

        public string Combine(string referrer, string reference) => inner.Combine(referrer, reference);

        public string Canonical(string name) => inner.Canonical(Staged(name) is { } staged && inner.Exists(staged) ? staged : name);

        public void Delete(string name) => inner.Delete(Staged(name) ?? throw Outside(name));

        // Files of the image lie beside it.
        private string? Staged(string name)
        {
            string path = Path.GetFullPath(name);
            return Path.GetDirectoryName(path) == area.FinalDirectory ? Path.Join(area.DirectoryPath, Path.GetFileName(path)) : null;
        }

        private static ImageException Outside(string name) => new(ImageErrorKind.Policy, name, "A target's files must lie in one directory");
    }
}
