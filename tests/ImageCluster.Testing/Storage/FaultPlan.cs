using ImageCluster.Imaging;

namespace ImageCluster.Testing.Storage;

/// <summary>
/// When storage fails, and how. One plan may stand behind any number of files: it counts the calls of all of them, from 1.
/// <see cref="Fired"/> says whether it came to that, which ends a loop over "the Nth call fails".
/// </summary>
public sealed class FaultPlan
{
    private readonly Lock _lock = new();
    private readonly CallCounts _counts = new();
    private readonly Func<StorageCall, long, long, bool> _fails;
    private readonly ImageErrorKind _error;
    private readonly bool _forever;
    private readonly bool _torn;
    private bool _dead;

    private FaultPlan(Func<StorageCall, long, long, bool> fails, ImageErrorKind error, bool forever, bool torn)
    {
        _fails = fails;
        _error = error;
        _forever = forever;
        _torn = torn;
    }

    /// <summary>What survives of a write ends with a page of the file.</summary>
    internal bool TearsBetweenPages { get; private init; }

    /// <summary>True once a call was made to fail.</summary>
    public bool Fired { get; private set; }

    /// <summary>The Nth call of a kind fails; those before and after go well.</summary>
    /// <param name="torn">A write that fails has written the first half of its bytes.</param>
    public static FaultPlan FailCall(StorageCall call, long n, ImageErrorKind error = ImageErrorKind.Io, bool torn = false) =>
        new((made, number, _) => made == call && number == n, error, forever: false, torn);

    /// <summary>As <see cref="FailCall"/> of a write of which the first half is there, as far as that is whole pages of the file: an extent ends, and the next is not to be had.</summary>
    public static FaultPlan FailWriteBetweenPages(long n, ImageErrorKind error) =>
        new((made, number, _) => made == StorageCall.Write && number == n, error, forever: false, torn: true) { TearsBetweenPages = true };

    /// <summary>The Nth flush fails, and so does every call after it: the disk is gone.</summary>
    public static FaultPlan DieAtFlush(long n) => DieAt(StorageCall.Flush, n);

    /// <summary>The Nth call of a kind fails, and so does every call after it.</summary>
    public static FaultPlan DieAt(StorageCall call, long n, bool torn = false) =>
        new((made, number, _) => made == call && number == n, ImageErrorKind.Io, forever: true, torn);

    /// <summary>The disk takes so many bytes of writes and is full then: later writes fail, other calls go on.</summary>
    public static FaultPlan FullAfter(long bytes) =>
        new((made, _, written) => made is StorageCall.Write or StorageCall.Allocate && written > bytes, ImageErrorKind.NoSpace, forever: false, torn: false);

    /// <summary>Counts a call; the exception to throw where it is to fail, and how many of a write's bytes reach the file all the same.</summary>
    internal ImageException? Take(StorageCall call, string file, int bytes, out int survivingBytes)
    {
        lock (_lock)
        {
            survivingBytes = 0;
            if (!_dead)
            {
                long number = _counts.Add(call, bytes);
                if (!_fails(call, number, _counts.BytesWritten))
                {
                    return null;
                }

                Fired = true;
                _dead = _forever;
                survivingBytes = _torn ? bytes / 2 : 0;
            }

            (int errno, string text) = _error == ImageErrorKind.NoSpace ? (28, "No space left on device") : (5, "Input/output error");
            return new ImageException(_error, file, $"Injected failure of {call}: {text}") { Errno = errno };
        }
    }
}
