using System.Xml;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>The keys of a bucket that begin alike (ListObjectsV2), asked for page by page.</summary>
internal static class S3Listing
{
    // A page has at most 1,000 keys of at most 1,024 bytes, each with some hundred bytes around it.
    private const int MaxPage = 16 << 20;
    private const int MaxKeys = 1_000_000;

    /// <summary>Keys in the store's order. The bucket must be one that may be listed.</summary>
    /// <param name="settings">Which store.</param>
    /// <param name="name">For messages.</param>
    /// <param name="bucket">The bucket.</param>
    /// <param name="prefix">How keys begin; empty for all.</param>
    /// <param name="cancel">Ends it.</param>
    public static IEnumerable<string> Keys(S3Settings settings, string name, string bucket, string prefix, CancellationToken cancel)
    {
        using S3Channel channel = new(settings, new S3Location(bucket, ""), name);
        int count = 0;
        string? next = null;
        do
        {
            List<(string, string)> query = [("list-type", "2"), ("prefix", prefix)];
            if (next is not null)
            {
                query.Add(("continuation-token", next));
            }

            string? last = next;
            (List<string> keys, next) = channel.Do(HttpMethod.Get, query, null, answer => Parse(answer.ReadSome(MaxPage), name), cancel, MaxPage);
            if (next is not null && next == last)
            {
                // A store that ignores the token would say its first page for ever.
                throw new ImageException(ImageErrorKind.Io, name, "The object store's list of objects does not go on");
            }

            foreach (string key in keys)
            {
                if (++count > MaxKeys)
                {
                    throw new ImageException(ImageErrorKind.Limit, name, $"More than {MaxKeys:#,0} objects begin so");
                }

                yield return key;
            }
        }
        while (next is not null);
    }

    private static (List<string> Keys, string? Next) Parse(byte[] xml, string name)
    {
        List<string> keys = [];
        string? next = null;
        bool inContents = false;
        try
        {
            using XmlReader reader = XmlReader.Create(new MemoryStream(xml), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
            for (bool more = reader.Read(); more;)
            {
                bool isElement = reader.NodeType == XmlNodeType.Element;
                if (isElement && reader.LocalName == "Key" && inContents)
                {
                    keys.Add(reader.ReadElementContentAsString());
                    continue;
                }

                if (isElement && reader.LocalName == "NextContinuationToken")
                {
                    next = reader.ReadElementContentAsString();
                    continue;
                }

                inContents = reader.LocalName == "Contents" ? isElement : inContents;
                more = reader.Read();
            }
        }
        catch (XmlException e)
        {
            throw new ImageException(ImageErrorKind.Io, name, "The object store's list of objects cannot be read", e);
        }

        return (keys, string.IsNullOrEmpty(next) ? null : next);
    }
}
