using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>What needs the image to itself.</content>
internal sealed partial class WritableQcow2Image
{
    private readonly ReaderWriterLockSlim _operations = new(LockRecursionPolicy.NoRecursion);

    public IReadOnlyList<string> RepairMessages { get; private set; } = [];

    /// <summary>Makes ready for writing: an image that was not closed cleanly is repaired first, as QEMU does.</summary>
    public void Start()
    {
        if (Metadata.Header.IsDirty)
        {
            CheckReport report = Checker.Run(Metadata, CheckRepair.All);
            RepairMessages = report.Messages;
            if (report.CheckErrors > 0 || report.Failure is not null)
            {
                throw new ImageException(ImageErrorKind.Corrupt, FileName, $"Could not repair dirty image: {report.Failure ?? "Input/output error"}");
            }
        }

        _ = Tables;
    }

    public override CheckReport Check(CheckRepair repair) => Exclusively(() => Checker.Run(Metadata, repair));

    // Writes go on beside each other, but not beside what changes the image as a whole.
    // Who is alone may write in the middle of it.
    private void EnterShared()
    {
        if (!_operations.IsWriteLockHeld)
        {
            _operations.EnterReadLock();
        }
    }

    private void ExitShared()
    {
        if (!_operations.IsWriteLockHeld)
        {
            _operations.ExitReadLock();
        }
    }

    // What is in memory of the file's metadata. Where it cannot be read again after a failure, the failure is what is told, and nothing more is written.
    private void Forget()
    {
        ForgetInflated();
        ForgetDirectories();
        try
        {
            Metadata.Reload();
            _tablesOrNone?.Reload();
        }
        catch (ImageException e) when (_failed)
        {
            _tablesOrNone?.Fail(e);
        }
    }

    // Everything is in the file before; afterwards what was read of its metadata is read again.
    private T Exclusively<T>(Func<T> action)
    {
        RequireWhole();
        _operations.EnterWriteLock();
        try
        {
            lock (_gate)
            {
                _tablesOrNone?.Settle();
                try
                {
                    return action();
                }
                catch (ImageException e) when (e.Kind is ImageErrorKind.Io or ImageErrorKind.NoSpace)
                {
                    _failed = true;
                    throw;
                }
                finally
                {
                    Forget();
                }
            }
        }
        finally
        {
            _operations.ExitWriteLock();
        }
    }
}
