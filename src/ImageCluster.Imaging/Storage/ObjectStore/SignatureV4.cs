using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>AWS Signature Version 4, in a request's headers (Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header").</summary>
internal static class SignatureV4
{
    private const string Algorithm = "AWS4-HMAC-SHA256";

    /// <summary>The digest of no bytes, for requests without a body.</summary>
    public static readonly string EmptyDigest = Convert.ToHexStringLower(SHA256.HashData([]));

    /// <summary>The value of the <c>Authorization</c> header.</summary>
    /// <param name="method">GET, PUT, ...</param>
    /// <param name="path">Encoded (<see cref="Encode"/>), with a slash before it.</param>
    /// <param name="query">Names and values, not encoded, in any order.</param>
    /// <param name="headers">Those that are signed, by name in small letters; <c>host</c> and <c>x-amz-date</c> among them.</param>
    /// <param name="payloadDigest">SHA-256 of the body, in hexadecimal.</param>
    /// <param name="credentials">Whose request it is.</param>
    /// <param name="region">The store's.</param>
    /// <param name="service"><c>s3</c>.</param>
    /// <param name="time">When it is sent: what <c>x-amz-date</c> says.</param>
    public static string Authorization(
        string method,
        string path,
        IEnumerable<(string Name, string Value)> query,
        IEnumerable<(string Name, string Value)> headers,
        string payloadDigest,
        S3Credentials credentials,
        string region,
        string service,
        DateTimeOffset time)
    {
        (string Name, string Value)[] sorted = [.. headers.OrderBy(static h => h.Name, StringComparer.Ordinal)];
        string names = string.Join(';', sorted.Select(static h => h.Name));
        StringBuilder canonical = new();
        canonical.Append(method).Append('\n').Append(path).Append('\n').Append(QueryText(query)).Append('\n');
        foreach ((string name, string value) in sorted)
        {
            canonical.Append(name).Append(':').Append(value.Trim()).Append('\n');
        }

        canonical.Append('\n').Append(names).Append('\n').Append(payloadDigest);

        string day = time.UtcDateTime.ToString("yyyyMMdd", CultureInfo.InvariantCulture);
        string scope = $"{day}/{region}/{service}/aws4_request";
        string toSign = $"{Algorithm}\n{Stamp(time)}\n{scope}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical.ToString())))}";
        byte[] key = Encoding.UTF8.GetBytes("AWS4" + credentials.SecretKey);
        foreach (string part in (string[])[day, region, service, "aws4_request", toSign])
        {
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        }

        return $"{Algorithm} Credential={credentials.AccessKey}/{scope}, SignedHeaders={names}, Signature={Convert.ToHexStringLower(key)}";
    }

    /// <summary>The value of <c>x-amz-date</c>.</summary>
    public static string Stamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);

    /// <summary>Names and values encoded, in the order of the encoded names, as they are sent and signed.</summary>
    public static string QueryText(IEnumerable<(string Name, string Value)> query) => string.Join('&', query
        .Select(static item => (Name: Encode(item.Name, keepSlash: false), Value: Encode(item.Value, keepSlash: false)))
        .OrderBy(static item => item.Name, StringComparer.Ordinal).ThenBy(static item => item.Value, StringComparer.Ordinal)
        .Select(static item => $"{item.Name}={item.Value}"));

    /// <summary>Percent-encodes all but RFC 3986's unreserved characters.</summary>
    public static string Encode(string text, bool keepSlash)
    {
        StringBuilder encoded = new(text.Length);
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '~' || (keepSlash && c == '/'))
            {
                encoded.Append(c);
            }
            else
            {
                encoded.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
            }
        }

        return encoded.ToString();
    }
}
