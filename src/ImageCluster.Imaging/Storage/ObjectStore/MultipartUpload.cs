using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ImageCluster.Imaging.Storage.Http;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>
/// An object that is uploaded in parts, in any order and by any number of threads. Nobody sees it before <see cref="Complete"/>; given up, nothing of it
/// stays. Each part is signed with its digest, and what the store says it has is held against what was sent.
/// </summary>
internal sealed class MultipartUpload
{
    /// <summary>The store's limit.</summary>
    public const int MaxParts = 10_000;

    private const int MaxAnswer = 64 * 1024;

    // Putting parts together takes the store time: as much as sending so many bytes.
    private const long PatiencePerPart = 4096;

    private readonly S3Channel _channel;
    private readonly string _id;
    private readonly ConcurrentDictionary<int, (string ETag, byte[]? Md5)> _parts = new();

    private MultipartUpload(S3Channel channel, string id) => (_channel, _id) = (channel, id);

    /// <param name="channel">The object's.</param>
    /// <param name="mark">Kept with it; null for none.</param>
    /// <param name="cancel">Ends it.</param>
    public static MultipartUpload Begin(S3Channel channel, string? mark, CancellationToken cancel)
    {
        string id = channel.Do(HttpMethod.Post, [("uploads", "")], UploadBody.Empty, answer => S3Error.Element(answer.ReadSome(MaxAnswer), "UploadId"), cancel,
            shape: request => ObjectMark.Set(request, mark))
            ?? throw Failure(channel, "The object store does not say under which id parts are to be uploaded");
        return new MultipartUpload(channel, id);
    }

    /// <summary>Uploads an object that is small enough by one request.</summary>
    /// <param name="channel">The object's.</param>
    /// <param name="body">Its bytes.</param>
    /// <param name="mark">Kept with it; null for none.</param>
    /// <param name="isNew">No object may be replaced.</param>
    /// <param name="cancel">Ends it.</param>
    public static void PutWhole(S3Channel channel, UploadBody body, string? mark, bool isNew, CancellationToken cancel) =>
        channel.Do(HttpMethod.Put, [], body, answer => CheckTag(channel, answer, body), cancel, shape: request =>
        {
            ObjectMark.Set(request, mark);
            ObjectMark.RequireNew(request, isNew);
        });

    /// <summary>Uploads a part; the same part again takes the place of the first.</summary>
    /// <param name="number">From 1 on.</param>
    /// <param name="body">At least 5 MiB, but for the last part.</param>
    /// <param name="cancel">Ends it.</param>
    public void Put(int number, UploadBody body, CancellationToken cancel)
    {
        string partNumber = number.ToString(CultureInfo.InvariantCulture);
        _parts[number] = _channel.Do(HttpMethod.Put, [("partNumber", partNumber), ("uploadId", _id)], body, answer => CheckTag(_channel, answer, body), cancel);
    }

    public bool Has(int number) => _parts.ContainsKey(number);

    /// <summary>Makes the object out of parts 1 to <paramref name="count"/>, all of which are uploaded.</summary>
    /// <param name="count">How many.</param>
    /// <param name="length">Bytes of all.</param>
    /// <param name="isNew">No object may be replaced.</param>
    /// <param name="cancel">Ends it.</param>
    public void Complete(int count, long length, bool isNew, CancellationToken cancel)
    {
        StringBuilder list = new("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for (int number = 1; number <= count; number++)
        {
            list.Append(CultureInfo.InvariantCulture, $"<Part><PartNumber>{number}</PartNumber><ETag>{Escaped(_parts[number].ETag)}</ETag></Part>");
        }

        UploadBody body = UploadBody.Of(Encoding.UTF8.GetBytes(list.Append("</CompleteMultipartUpload>").ToString()));
        string? expected = ExpectedTag(count);
        string? tag = null;
        try
        {
            tag = _channel.Do(
                HttpMethod.Post,
                [("uploadId", _id)],
                body,
                answer =>
                {
                    // The status is sent before the work is done: the body says what came of it.
                    byte[] said = answer.ReadSome(MaxAnswer);
                    return S3Error.Element(said, "ETag") ?? throw new PassingFailureException(Failure(_channel,
                        $"The object store did not put the parts together: {S3Error.Element(said, "Code") ?? "it does not say why"}"));
                },
                cancel,
                body.Length + (count * PatiencePerPart),
                request => ObjectMark.RequireNew(request, isNew));
        }
        catch (ImageException) when (expected is not null)
        {
            // The answer to an attempt that succeeded may have been lost: then there is no upload any more, but the object.
            if (!IsThere(length, expected, cancel))
            {
                throw;
            }
        }

        if (expected is not null && tag?.Trim('"') is { } got && got.Contains('-', StringComparison.Ordinal) && got != expected)
        {
            throw Failure(_channel, "The object's checksum is another than that of what was sent");
        }

        if (!IsThere(length, null, cancel))
        {
            throw Failure(_channel, "The object's length is another than that of what was sent");
        }
    }

    /// <summary>Gives the parts up. Does not fail: this is what is done after a failure.</summary>
    public void Abort()
    {
        try
        {
            _channel.Do(HttpMethod.Delete, [("uploadId", _id)], null, static _ => true, CancellationToken.None);
        }
        catch (ImageException)
        {
            // The store's own rule for parts that nobody completes takes them.
        }
    }

    // ETag as sent back, and MD5 where the ETag is one: it is, unless the store encrypts by keys of its own.
    private static (string ETag, byte[]? Md5) CheckTag(S3Channel channel, HttpAnswer answer, UploadBody body)
    {
        string tag = answer.Text("ETag") ?? throw Failure(channel, "The object store does not say what it has received (no ETag)");
        string plain = tag.Trim('"');
        bool isDigest = plain.Length == 32 && plain.All(char.IsAsciiHexDigit) && answer.Text("x-amz-server-side-encryption") is null or "AES256"
            && answer.Text("x-amz-server-side-encryption-customer-algorithm") is null;
        if (isDigest && !plain.Equals(Convert.ToHexStringLower(body.Digests.Md5), StringComparison.OrdinalIgnoreCase))
        {
            throw new PassingFailureException(Failure(channel, "The object store has received other bytes than were sent"));
        }

        return (tag, isDigest ? body.Digests.Md5 : null);
    }

    // The MD5 of the parts' MD5s and their number; null where not all are known.
    private string? ExpectedTag(int count)
    {
        byte[]?[] digests = [.. Enumerable.Range(1, count).Select(number => _parts[number].Md5)];
#pragma warning disable CA5351 // What the protocol defines; it guards nothing but against accidents.
        return digests.Contains(null) ? null : $"{Convert.ToHexStringLower(MD5.HashData([.. digests.SelectMany(static d => d!)]))}-{count}";
#pragma warning restore CA5351
    }

    private bool IsThere(long length, string? tag, CancellationToken cancel)
    {
        try
        {
            (long? foundLength, string? foundTag) = _channel.Do(HttpMethod.Head, [], null,
                static answer => (answer.ContentHeaders.ContentLength, answer.Text("ETag")?.Trim('"')), cancel);
            return foundLength == length && (tag is null || foundTag == tag);
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.NotFound)
        {
            return false;
        }
    }

    private static string Escaped(string tag) => System.Security.SecurityElement.Escape(tag);

    private static ImageException Failure(S3Channel channel, string what) => new(ImageErrorKind.Io, channel.Name, what) { Errno = Errno.IO };
}
