using System.Runtime.InteropServices;

namespace ImageCluster.Imaging.Storage.Native;

/// <summary>Error numbers of the operating system (Linux's values; the first hundred are the same on every processor) and what they mean here.</summary>
internal static class Errno
{
    public const int Perm = 1;
    public const int NoEnt = 2;
    public const int Intr = 4;
    public const int IO = 5;
    public const int NxIo = 6;
    public const int Again = 11;
    public const int Access = 13;
    public const int Exist = 17;
    public const int XDev = 18;
    public const int NoDev = 19;
    public const int NotDir = 20;
    public const int IsDir = 21;
    public const int Inval = 22;
    public const int NoTty = 25;
    public const int TxtBsy = 26;
    public const int FBig = 27;
    public const int NoSpc = 28;
    public const int Loop = 40;
    public const int NoSys = 38;
    public const int OpNotSupp = 95;
    public const int TimedOut = 110;
    public const int ConnRefused = 111;
    public const int DQuot = 122;

    public static string Text(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    /// <summary>True where the call is not there for this file, so that another way is to be tried.</summary>
    public static bool MeansUnsupported(int errno) => errno is OpNotSupp or NoSys or NoTty or NoDev;

    /// <summary>True for what .NET's methods throw where the system refuses a file: that it must not become so long (EFBIG) is no <see cref="IOException"/> there.</summary>
    public static bool IsOfSystem(Exception thrown) => thrown is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException { ParamName: "value" };

    /// <summary>An exception whose message is <paramref name="what"/>, a colon and the system's text.</summary>
    public static ImageException Exception(int errno, string name, string what) =>
        new(KindOf(errno), name, $"{what}: {Text(errno)}") { Errno = errno };

    /// <summary>As above for what a method of .NET threw.</summary>
    public static ImageException Exception(Exception thrown, string name, string what)
    {
        // On Unix .NET puts errno into HResult, of the inner exception where the outer one is about access.
        int code = (thrown is UnauthorizedAccessException && thrown.InnerException is IOException inner ? inner : thrown).HResult;
        if (!OperatingSystem.IsWindows() && code is > 0 and < 4096)
        {
            return new ImageException(KindOf(code), name, $"{what}: {Text(code)}", thrown) { Errno = code };
        }

        (ImageErrorKind kind, int errno) = thrown switch
        {
            FileNotFoundException or DirectoryNotFoundException => (ImageErrorKind.NotFound, NoEnt),
            UnauthorizedAccessException => (ImageErrorKind.Io, Access),
            ArgumentOutOfRangeException => (ImageErrorKind.Io, FBig),
            IOException when (code & 0xffff) is 112 or 39 => (ImageErrorKind.NoSpace, NoSpc),
            IOException when (code & 0xffff) is 32 or 33 => (ImageErrorKind.Locked, Again),
            IOException when (code & 0xffff) is 80 or 183 => (ImageErrorKind.Exists, Exist),
            _ => (ImageErrorKind.Io, IO),
        };
        string text = thrown is ArgumentOutOfRangeException ? Text(FBig) : thrown.Message.ReplaceLineEndings(" ");
        return new ImageException(kind, name, $"{what}: {text}", thrown) { Errno = errno };
    }

    private static ImageErrorKind KindOf(int errno) => errno switch
    {
        NoEnt => ImageErrorKind.NotFound,
        NoSpc or DQuot => ImageErrorKind.NoSpace,
        Exist => ImageErrorKind.Exists,
        _ => ImageErrorKind.Io,
    };
}
