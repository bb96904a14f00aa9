using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>Error numbers on the wire, which look like Linux's but are the protocol's own.</summary>
internal static class NbdErrors
{
    public const uint NotSupported = 95;
    private const uint Shutdown = 108;

    /// <summary>The system's error number for one of the protocol's; what the protocol does not define is an invalid argument, as in QEMU.</summary>
    public static int ToErrno(uint error) => error is 1 or 5 or 12 or 22 or 28 or 75 or NotSupported or Shutdown ? (int)error : Errno.Inval;

    /// <summary>An exception for a request that the server answered with an error.</summary>
    public static ImageException Refused(NbdRequest request, string name)
    {
        int errno = ToErrno(request.Error);
        ImageException failure = Errno.Exception(errno, name, request.Describe());
        return request.ServerMessage is { Length: > 0 } message
            ? new ImageException(failure.Kind, name, failure.Message) { Errno = errno, Hint = $"server reported: {message}" }
            : failure;
    }
}

/// <summary>
/// The connection broke, or the server broke the protocol. Internal: the file turns it into an <see cref="ImageException"/> that names the
/// operation.
/// </summary>
/// <param name="reason">What happened, without an end stop.</param>
/// <param name="mayRetry">False where the server is at fault and would do the same again.</param>
internal sealed class NbdConnectionException(string reason, bool mayRetry, Exception? inner = null) : Exception(reason, inner)
{
    public bool MayRetry { get; } = mayRetry;

    public static NbdConnectionException Protocol(string what) => new("Protocol error: " + what, mayRetry: false);
}
