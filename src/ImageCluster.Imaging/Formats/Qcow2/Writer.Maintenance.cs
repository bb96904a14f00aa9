namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>What needs the image to itself.</content>
internal sealed partial class WritableQcow2Image
{
    private readonly ReaderWriterLockSlim _operations = new(LockRecursionPolicy.NoRecursion);

    // Writes go on beside each other, but not beside what changes the image as a whole.
    private void EnterShared() => _operations.EnterReadLock();

    private void ExitShared() => _operations.ExitReadLock();
}
