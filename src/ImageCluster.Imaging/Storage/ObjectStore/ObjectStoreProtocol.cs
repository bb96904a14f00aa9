using ImageCluster.Imaging.Storage.Http;
using ImageCluster.Imaging.Storage.Native;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>Images in object stores that speak Amazon's S3: <c>s3://BUCKET/KEY</c>. Read by ranges; written as whole new objects, never in place.</summary>
/// <param name="settings">Which store, as whom; null takes it from the environment when the first object is opened.</param>
public sealed class ObjectStoreProtocol(S3Settings? settings = null) : StorageProtocol
{
    public override IReadOnlyList<string> Schemes => [S3Location.Scheme];

    public override bool CanWrite => true;

    private S3Settings Settings => settings ?? S3Settings.FromEnvironment(Environment.GetEnvironmentVariable);

    public override IBlockFile Open(string name, OpenMode mode, IFileLocator files)
    {
        if (mode.Write)
        {
            throw InPlace(name);
        }

        S3Settings asked = Settings;
        S3Channel channel = new(asked, S3Location.Parse(name), name);
        try
        {
            return new HttpFile(name, RemoteRangeReader.Open(channel, asked.Http, CancellationToken.None), asked.Http, channel);
        }
        catch
        {
            channel.Dispose();
            throw;
        }
    }

    public override IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew, IFileLocator files) => throw InPlace(name);

    /// <param name="root"><c>s3://BUCKET</c> or <c>s3://BUCKET/PREFIX</c>: keys that begin with the prefix and a slash.</param>
    /// <param name="cancel">Ends it.</param>
    public override IEnumerable<string> List(string root, CancellationToken cancel)
    {
        // The key does not matter here, as long as the name with one is good.
        S3Location location = S3Location.Parse(root + "/x");
        string prefix = location.Key[..^1];
        return S3Listing.Keys(Settings, root, location.Bucket, prefix, cancel)
            .Where(static key => !key.EndsWith('/'))
            .Select(key => key[prefix.Length..])
            .Where(static name => name.Length > 0);
    }

    public override StagedTarget Stage(string name, IFileLocator files, bool replaces = true, string? mark = null)
    {
        S3Settings asked = Settings;
        RequireStore(asked, name);
        return new ObjectTarget(asked, name, files) { Replaces = replaces, Mark = mark };
    }

    /// <inheritdoc/>
    /// <remarks>An object that is not there is no error.</remarks>
    public override void Delete(string name, IFileLocator files)
    {
        using S3Channel channel = new(Settings, S3Location.Parse(name), name);
        channel.Do(HttpMethod.Delete, [], null, static _ => true, CancellationToken.None);
    }

    public override string? MarkOf(string name)
    {
        using S3Channel channel = new(Settings, S3Location.Parse(name), name);
        return ObjectMark.Find(channel, CancellationToken.None).Mark;
    }

    // What is wrong with names, keys or the way there is to be known before hours of work, not after.
    private static void RequireStore(S3Settings asked, string name)
    {
        using S3Channel channel = new(asked, S3Location.Parse(name), name);
        using HttpAnswer answer = new RetryLoop(asked.Http).Run(
            () =>
            {
                try
                {
                    return channel.Send(HttpMethod.Head, null, 0, CancellationToken.None);
                }
                catch (PassingFailureException e) when (e.Failure.Errno == Errno.ConnRefused)
                {
                    throw e.Failure;
                }
            },
            CancellationToken.None);

        // Whether one may write is not asked so: there are keys for writing that may not read.
        if ((int)answer.Status is not (200 or 403 or 404) && channel.Refusal(answer) is ImageException refusal)
        {
            throw refusal;
        }
    }

    private static ImageException InPlace(string name) => new(ImageErrorKind.Unsupported, name, "An object cannot be changed in place")
    {
        Errno = Errno.Access,
        Hint = "Convert to a new object instead.",
    };
}
