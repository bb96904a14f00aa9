using System.Xml;
using ImageCluster.Imaging.Storage.Http;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>What a store says in the body of an answer: the texts of a few elements of its XML.</summary>
internal static class S3Error
{
    private const int MaxBody = 64 * 1024;

    /// <summary>Codes with which the same request may succeed later, whatever the status says.</summary>
    private static readonly string[] Passing =
        ["InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "RequestTimeTooSkewed", "BadDigest", "OperationAborted", "ConditionalRequestConflict", "Throttling", "XAmzContentSHA256Mismatch"];

    /// <summary>What to throw for a refusal; reads the answer's body.</summary>
    public static Exception Of(HttpAnswer answer, string name)
    {
        byte[] body = answer.ReadSome(MaxBody);
        string? code = Element(body, "Code");
        string? said = Element(body, "Message");
        string what = ((int)answer.Status, code) switch
        {
            (404, null or "NoSuchKey") => "There is no such object",
            (_, null) => $"The object store answers with error {(int)answer.Status}",
            _ => $"The object store refuses: {Clean(code)}{(said is null ? "" : $" ({Clean(said)})")}",
        };
        string? region = answer.Text("x-amz-bucket-region");
        string? hint = ((int)answer.Status, code) switch
        {
            (301 or 307 or 400, _) when region is not null => $"The bucket lies in region {Clean(region)}: set AWS_REGION.",
            (403, _) => "Keys are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the profile files that the AWS tools use.",
            _ => null,
        };
        if (code == "PreconditionFailed")
        {
            return new ImageException(ImageErrorKind.Exists, name, "An object of that name is there");
        }

        Exception failure = HttpStatus.Refusal(answer, name, what, hint);
        return failure is ImageException plain && code is not null && Passing.Contains(code) ? new PassingFailureException(plain) : failure;
    }

    /// <summary>The text of the first element of that name; null where there is none, or no XML.</summary>
    public static string? Element(byte[] xml, string name)
    {
        XmlReaderSettings settings = new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };
        try
        {
            using XmlReader reader = XmlReader.Create(new MemoryStream(xml), settings);
            while (reader.Read())
            {
                if (reader.NodeType == XmlNodeType.Element && reader.LocalName == name)
                {
                    // Mixed content would make this throw: then it is not what was looked for.
                    return reader.IsEmptyElement ? "" : reader.ReadElementContentAsString();
                }
            }
        }
        catch (XmlException)
        {
            // Not XML: a proxy's page, or cut.
        }

        return null;
    }

    private static string Clean(string text)
    {
        string line = string.Concat(text.Take(300).Select(static c => char.IsControl(c) ? ' ' : c));
        return line.Trim().TrimEnd('.');
    }
}
