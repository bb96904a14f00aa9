using System.Globalization;
using System.Net;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.Http;

/// <summary>What the status of an answer means.</summary>
internal static class HttpStatus
{
    public static bool IsRedirect(HttpStatusCode status) => (int)status is 301 or 302 or 303 or 307 or 308;

    /// <summary>True where the same request may succeed later.</summary>
    public static bool MayPass(HttpStatusCode status) => (int)status is 408 or 425 or 429 or 500 or 502 or 503 or 504 or 509;

    /// <summary>What to throw for a refusal; <paramref name="what"/> says it.</summary>
    public static Exception Refusal(HttpAnswer answer, string name, string what, string? hint = null)
    {
        ImageErrorKind kind = answer.Status is HttpStatusCode.NotFound or HttpStatusCode.Gone ? ImageErrorKind.NotFound : ImageErrorKind.Io;
        int errno = answer.Status switch
        {
            HttpStatusCode.NotFound or HttpStatusCode.Gone => Errno.NoEnt,
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => Errno.Access,
            _ => Errno.IO,
        };
        ImageException failure = new(kind, name, what) { Errno = errno, Hint = hint };
        return MayPass(answer.Status) ? new PassingFailureException(failure, RetryAfter(answer)) : failure;
    }

    // Seconds or a date (RFC 9110, 10.2.3).
    private static TimeSpan? RetryAfter(HttpAnswer answer)
    {
        string? text = answer.Text("Retry-After");
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds))
        {
            return TimeSpan.FromSeconds(seconds);
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at)
            ? at - DateTimeOffset.UtcNow
            : null;
    }
}
