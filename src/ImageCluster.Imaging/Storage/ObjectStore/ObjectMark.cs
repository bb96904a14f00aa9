namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>A note that is kept with an object, by which whoever was interrupted knows an object for its own; and the way not to replace another's.</summary>
internal static class ObjectMark
{
    private const string Header = "x-amz-meta-imagecluster";

    /// <summary>What stands under an object's name.</summary>
    /// <param name="channel">The object's.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>Whether there is an object, as far as one may know, and its mark.</returns>
    public static (bool Exists, string? Mark) Find(S3Channel channel, CancellationToken cancel)
    {
        try
        {
            return (true, channel.Do(HttpMethod.Head, [], null, static answer => answer.Text(Header), cancel));
        }
        catch (ImageException e) when (e.Kind == ImageErrorKind.NotFound || (e.Errno == Native.Errno.Access))
        {
            // There are keys for writing that may not read: then the store itself is to keep us from replacing.
            return (false, null);
        }
    }

    /// <summary>Stores a mark with the object that a request begins.</summary>
    public static void Set(HttpRequestMessage request, string? mark)
    {
        if (mark is not null)
        {
            request.Headers.TryAddWithoutValidation(Header, mark);
        }
    }

    /// <summary>Has the store refuse a request that would replace an object. (Stores that do not know the condition leave it aside.)</summary>
    public static void RequireNew(HttpRequestMessage request, bool isNew)
    {
        if (isNew)
        {
            request.Headers.TryAddWithoutValidation("If-None-Match", "*");
        }
    }
}
