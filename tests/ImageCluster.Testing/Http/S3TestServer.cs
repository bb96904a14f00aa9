#pragma warning disable CA5351 // MD5 is what the protocol has.
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;

namespace ImageCluster.Testing.Http;

/// <summary>
/// An object store in memory that speaks enough of S3 for reading and uploading, and believes nobody: signatures (computed here by themselves),
/// digests, the order and size of parts.
/// </summary>
public sealed class S3TestServer : IDisposable
{
    public const string AccessKey = "AKIDTEST";
    public const string SecretKey = "secret/of+the=test";
    public const string Region = "eu-test-1";

    private readonly HttpTestServer _server;
    private readonly Dictionary<string, byte[]> _objects = [];
    private readonly Dictionary<string, string> _tags = [];
    private readonly Dictionary<string, string?> _marks = [];
    private readonly Dictionary<string, (string Path, string? Mark, SortedDictionary<int, byte[]> Parts)> _uploads = [];
    private readonly List<string> _refusals = [];
    private readonly object _gate = new();
    private int _lastUpload;

    public S3TestServer() => _server = new HttpTestServer(Handle);

    public string Address => _server.Address;

    public HttpTestServer Server => _server;

    /// <summary>Asked before each request is looked at: what it returns is sent instead.</summary>
    public Func<HttpQuery, HttpReply?> Fault { get; set; } = static _ => null;

    /// <summary>Asked after a request was carried out: what it returns is sent instead of the answer.</summary>
    public Func<HttpQuery, HttpReply?> LostAnswer { get; set; } = static _ => null;

    /// <summary>Smallest part but the last that is taken.</summary>
    public int MinPart { get; set; } = 5 << 20;

    public bool AllowsAnonymous { get; set; }

    /// <summary>Why requests were refused.</summary>
    public IReadOnlyList<string> Refusals
    {
        get
        {
            lock (_gate)
            {
                return [.. _refusals];
            }
        }
    }

    /// <summary>Uploads begun and neither completed nor given up.</summary>
    public int OpenUploads
    {
        get
        {
            lock (_gate)
            {
                return _uploads.Count;
            }
        }
    }

    /// <summary>An object by <c>bucket/key</c>, or null.</summary>
    public byte[]? this[string path]
    {
        get
        {
            lock (_gate)
            {
                return _objects.GetValueOrDefault(path);
            }
        }

        set
        {
            lock (_gate)
            {
                _objects[path] = value!;
            }
        }
    }

    public void Dispose() => _server.Dispose();

    /// <summary>What the store keeps with an object, of all that one may give along: <c>x-amz-meta-imagecluster</c>.</summary>
    public string? MarkOf(string path)
    {
        lock (_gate)
        {
            return _marks.GetValueOrDefault(path);
        }
    }

    private static string Tag(byte[] bytes) => $"\"{Convert.ToHexStringLower(MD5.HashData(bytes))}\"";

    private HttpReply Handle(HttpQuery query)
    {
        if (Fault(query) is { } fault)
        {
            return fault;
        }

        if (SignatureProblem(query) is { } problem)
        {
            return Refuse(403, "SignatureDoesNotMatch", problem);
        }

        if (query.Header("Content-MD5") is { } md5 && md5 != Convert.ToBase64String(MD5.HashData(query.Body)))
        {
            return Refuse(400, "BadDigest", "Content-MD5");
        }

        HttpReply reply;
        lock (_gate)
        {
            reply = Do(query, Uri.UnescapeDataString(query.Path[1..]), Arguments(query));
        }

        return LostAnswer(query) ?? reply;
    }

    private HttpReply Do(HttpQuery query, string path, Dictionary<string, string> arguments)
    {
        string upload = arguments.GetValueOrDefault("uploadId", "");
        switch (query.Method)
        {
            case "GET" when arguments.ContainsKey("list-type"):
                return List(path.TrimEnd('/'), arguments);
            case "GET" or "HEAD":
                return _objects.TryGetValue(path, out byte[]? content) ? WithMark(HttpReply.File(query, content, _tags.GetValueOrDefault(path) ?? Tag(content)), path)
                    : query.Method == "HEAD" ? new HttpReply(404) : Refuse(404, "NoSuchKey", "The specified key does not exist.");
            case "POST" when arguments.ContainsKey("uploads"):
                string id = $"upload/{++_lastUpload}+=";
                _uploads.Add(id, (path, query.Header("x-amz-meta-imagecluster"), []));
                return HttpReply.Text(200, $"<?xml version=\"1.0\"?><InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
            case "PUT" or "POST" when query.Header("If-None-Match") == "*" && _objects.ContainsKey(path):
                return Refuse(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
            case "PUT" when upload.Length == 0:
                _objects[path] = query.Body;
                _marks[path] = query.Header("x-amz-meta-imagecluster");
                _tags.Remove(path);
                return new HttpReply(200).With("ETag", Tag(query.Body));
            case "DELETE" when upload.Length == 0:
                _objects.Remove(path);
                _marks.Remove(path);
                return new HttpReply(204);
            case "PUT" or "POST" or "DELETE" when !_uploads.TryGetValue(upload, out var found) || found.Path != path:
                return Refuse(404, "NoSuchUpload", "The specified upload does not exist.");
            case "PUT":
                _uploads[upload].Parts[int.Parse(arguments["partNumber"], CultureInfo.InvariantCulture)] = query.Body;
                return new HttpReply(200).With("ETag", Tag(query.Body));
            case "POST":
                return Complete(query, path, upload);
            case "DELETE":
                _uploads.Remove(upload);
                return new HttpReply(204);
            default:
                return Refuse(405, "MethodNotAllowed", query.Method);
        }
    }

    /// <summary>Keys in one answer to a request for a list.</summary>
    public int PageLength { get; set; } = 1000;

    private HttpReply List(string bucket, Dictionary<string, string> arguments)
    {
        string prefix = $"{bucket}/{arguments.GetValueOrDefault("prefix")}";
        string after = arguments.GetValueOrDefault("continuation-token", "");
        string[] keys = [.. _objects.Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal)
            .Select(key => key[(bucket.Length + 1)..]).Where(key => string.CompareOrdinal(key, after) > 0)];
        XElement answer = new("ListBucketResult", new XElement("Name", bucket),
            keys.Take(PageLength).Select(key => new XElement("Contents", new XElement("Key", key), new XElement("Size", _objects[$"{bucket}/{key}"].Length))));
        if (keys.Length > PageLength)
        {
            answer.Add(new XElement("IsTruncated", true), new XElement("NextContinuationToken", keys[PageLength - 1]));
        }

        return HttpReply.Text(200, answer.ToString());
    }

    private HttpReply Complete(HttpQuery query, string path, string upload)
    {
        SortedDictionary<int, byte[]> parts = _uploads[upload].Parts;
        XElement list = XElement.Parse(Encoding.UTF8.GetString(query.Body));
        (int Number, string Tag)[] wanted = [.. list.Elements().Select(part =>
            (int.Parse(part.Elements().First(e => e.Name.LocalName == "PartNumber").Value, CultureInfo.InvariantCulture), part.Elements().First(e => e.Name.LocalName == "ETag").Value))];
        if (!wanted.Select(part => part.Number).SequenceEqual(wanted.Select(part => part.Number).Order())
            || wanted.Any(part => !parts.TryGetValue(part.Number, out byte[]? body) || Tag(body) != part.Tag))
        {
            return Refuse(400, "InvalidPart", "parts");
        }

        if (wanted.SkipLast(1).Any(part => parts[part.Number].Length < MinPart))
        {
            return Refuse(400, "EntityTooSmall", "parts");
        }

        MemoryStream whole = new();
        Array.ForEach(wanted, part => whole.Write(parts[part.Number]));
        _objects[path] = whole.ToArray();
        string tag = Convert.ToHexStringLower(MD5.HashData([.. wanted.SelectMany(part => MD5.HashData(parts[part.Number]))])) + "-" + wanted.Length;
        _tags[path] = $"\"{tag}\"";
        _marks[path] = _uploads[upload].Mark;
        _uploads.Remove(upload);
        return HttpReply.Text(200, $"<?xml version=\"1.0\"?>\n<CompleteMultipartUploadResult><Key>k</Key><ETag>&quot;{tag}&quot;</ETag></CompleteMultipartUploadResult>");
    }

    private HttpReply WithMark(HttpReply reply, string path) =>
        _marks.GetValueOrDefault(path) is { } mark ? reply.With("x-amz-meta-imagecluster", mark) : reply;

    private HttpReply Refuse(int status, string code, string message)
    {
        lock (_gate)
        {
            _refusals.Add($"{code}: {message}");
        }

        return HttpReply.Text(status, $"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    }

    private static Dictionary<string, string> Arguments(HttpQuery query) => query.QueryText.Split('&', StringSplitOptions.RemoveEmptyEntries)
        .Select(item => item.Split('=', 2))
        .ToDictionary(item => Uri.UnescapeDataString(item[0]), item => Uri.UnescapeDataString(item.Length > 1 ? item[1] : ""));

    // The request as it arrived, signed once more.
    private string? SignatureProblem(HttpQuery query)
    {
        if (query.Header("Authorization") is not { } authorization)
        {
            return AllowsAnonymous ? null : "not signed";
        }

        Dictionary<string, string> fields = authorization["AWS4-HMAC-SHA256 ".Length..].Split(", ").Select(f => f.Split('=', 2)).ToDictionary(f => f[0], f => f[1]);
        string[] credential = fields["Credential"].Split('/');
        string date = query.Header("x-amz-date")!;
        string digest = query.Header("x-amz-content-sha256")!;
        if (credential[0] != AccessKey || credential[1] != date[..8] || credential[2] != Region || credential[3] != "s3")
        {
            return "credential scope";
        }

        if (digest != Convert.ToHexStringLower(SHA256.HashData(query.Body)))
        {
            return "x-amz-content-sha256";
        }

        string[] names = fields["SignedHeaders"].Split(';');
        if (!names.Contains("host") || query.Headers.Keys.Any(name => name.StartsWith("x-amz-", StringComparison.OrdinalIgnoreCase) && !names.Contains(name.ToLowerInvariant())))
        {
            return "signed headers";
        }

        string canonicalQuery = string.Join('&', query.QueryText.Split('&', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
        string canonical = $"{query.Method}\n{query.Path}\n{canonicalQuery}\n{string.Concat(names.Select(name => $"{name}:{query.Header(name)}\n"))}\n{fields["SignedHeaders"]}\n{digest}";
        string text = $"AWS4-HMAC-SHA256\n{date}\n{credential[1]}/{Region}/s3/aws4_request\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        byte[] Mac(byte[] key, string value) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(value));
        byte[] signature = Mac(Mac(Mac(Mac(Mac(Encoding.UTF8.GetBytes("AWS4" + SecretKey), credential[1]), Region), "s3"), "aws4_request"), text);
        return Convert.ToHexStringLower(signature) == fields["Signature"] ? null : $"signature over {canonical.Replace('\n', '|')}";
    }
}
