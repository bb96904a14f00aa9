using System.Text;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>An object of a store: <c>s3://BUCKET/KEY</c>. The key is taken as it stands: nothing in it is decoded.</summary>
/// <param name="Bucket">The bucket's name.</param>
/// <param name="Key">The object's key: 1 to 1024 bytes of UTF-8.</param>
public sealed record S3Location(string Bucket, string Key)
{
    public const string Scheme = "s3";

    private const int MaxKeyBytes = 1024;

    /// <exception cref="ImageException">It is not the name of an object.</exception>
    public static S3Location Parse(string name)
    {
        const string Start = Scheme + "://";
        int slash = name.StartsWith(Start, StringComparison.Ordinal) ? name.IndexOf('/', Start.Length) : -1;
        if (slash < 0 || slash == name.Length - 1)
        {
            throw Wrong(name, "it is s3://BUCKET/KEY");
        }

        string bucket = name[Start.Length..slash];
        string key = name[(slash + 1)..];
        bool isBucket = bucket.Length is >= 3 and <= 63 && bucket.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_')
            && char.IsAsciiLetterOrDigit(bucket[0]) && !bucket.Contains("..", StringComparison.Ordinal);
        return !isBucket ? throw Wrong(name, $"'{bucket}' is no bucket's name")
            : Encoding.UTF8.GetByteCount(key) > MaxKeyBytes ? throw Wrong(name, $"a key has at most {MaxKeyBytes} bytes")
            : key.Any(char.IsControl) ? throw Wrong(name, "the key holds a control character")
            : new S3Location(bucket, key);
    }

    public override string ToString() => $"{Scheme}://{Bucket}/{Key}";

    private static ImageException Wrong(string name, string why) => new(ImageErrorKind.InvalidArgument, name, $"'{name}' does not name an object: {why}");
}
