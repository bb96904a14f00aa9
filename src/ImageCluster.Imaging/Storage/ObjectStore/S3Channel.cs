using System.Net;
using ImageCluster.Imaging.Storage.Http;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>Signed requests for one object. One call is one attempt, except <see cref="Do"/>.</summary>
internal sealed class S3Channel(S3Settings settings, S3Location location, string name) : IRemoteObject, IDisposable
{
    private readonly HttpChannel _channel = new(settings.Http);
    private readonly RetryLoop _retries = new(settings.Http);
    private readonly string _address = settings.AddressOf(location.Bucket);

    public string Name => name;

    public S3Settings Settings => settings;

    public HttpAnswer Send(HttpMethod method, Action<HttpRequestMessage>? shape, long bytes, CancellationToken cancel) =>
        Send(method, [], null, shape, bytes, cancel);

    public Exception Refusal(HttpAnswer answer) => S3Error.Of(answer, Name);

    /// <summary>Sends until it succeeds or there is no hope; what is wanted from the answer is taken by <paramref name="take"/>.</summary>
    /// <param name="method">PUT, POST, DELETE, HEAD.</param>
    /// <param name="query">Sub-resource and arguments.</param>
    /// <param name="body">Null for none.</param>
    /// <param name="take">Called with a good answer; may throw <see cref="PassingFailureException"/>.</param>
    /// <param name="cancel">Ends it.</param>
    /// <param name="bytes">What the patience is to be measured by; null for the body's length.</param>
    /// <param name="shape">Adds headers; null for none.</param>
    public T Do<T>(
        HttpMethod method, IReadOnlyList<(string Name, string Value)> query, UploadBody? body, Func<HttpAnswer, T> take, CancellationToken cancel,
        long? bytes = null, Action<HttpRequestMessage>? shape = null) => _retries.Run(
        () =>
        {
            using HttpAnswer answer = Send(method, query, body, shape, bytes ?? body?.Length ?? 0, cancel);
            return (int)answer.Status is >= 200 and < 300 ? take(answer) : throw Refusal(answer);
        },
        cancel);

    public void Dispose() => _channel.Dispose();

    private HttpAnswer Send(
        HttpMethod method, IReadOnlyList<(string Name, string Value)> query, UploadBody? body, Action<HttpRequestMessage>? shape, long bytes, CancellationToken cancel)
    {
        string address = $"{_address}/{SignatureV4.Encode(location.Key, keepSlash: true)}";
        string queryText = SignatureV4.QueryText(query);

        // Keys may hold what an address must not have changed: "a/../b" is a key.
        Uri uri = new(queryText.Length == 0 ? address : $"{address}?{queryText}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using HttpRequestMessage request = new(method, uri) { Version = HttpVersion.Version11 };
        if (body is not null)
        {
            request.Content = new UploadContent(body);
            request.Content.Headers.ContentMD5 = body.Digests.Md5;
        }

        shape?.Invoke(request);
        Sign(request, uri, query, body);
        return _channel.Send(request, Name, bytes, cancel);
    }

    private void Sign(HttpRequestMessage request, Uri uri, IReadOnlyList<(string Name, string Value)> query, UploadBody? body)
    {
        if (settings.Credentials is not { } credentials)
        {
            return;
        }

        DateTimeOffset now = DateTimeOffset.UtcNow;
        string digest = body?.Digests.Sha256 ?? SignatureV4.EmptyDigest;
        List<(string Name, string Value)> signed =
        [
            ("host", uri.Authority),
            ("x-amz-content-sha256", digest),
            ("x-amz-date", SignatureV4.Stamp(now)),
        ];
        if (credentials.SessionToken is { } token)
        {
            signed.Add(("x-amz-security-token", token));
        }

        foreach ((string header, string value) in signed.Skip(1))
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        // What the store keeps with the object is signed as well; the order is that of the names.
        signed.AddRange(request.Headers.NonValidated.Where(header => header.Key.StartsWith("x-amz-meta-", StringComparison.Ordinal))
            .Select(header => (header.Key, header.Value.ToString())));
        signed.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));

        string path = uri.OriginalString[(uri.OriginalString.IndexOf('/', uri.Scheme.Length + 3))..].Split('?')[0];
        string authorization = SignatureV4.Authorization(request.Method.Method, path, query, signed, digest, credentials, settings.Region, "s3", now);
        request.Headers.TryAddWithoutValidation("Authorization", authorization);
    }
}
