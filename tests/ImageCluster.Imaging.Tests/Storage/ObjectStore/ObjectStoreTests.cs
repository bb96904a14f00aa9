using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Operations.Converting;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.ObjectStore;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.Imaging.Tests.Storage.Http;
using ImageCluster.Testing.Http;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Imaging.Tests.Storage.ObjectStore;

/// <summary>Reading from and writing to an object store that verifies signatures, with and without troubles.</summary>
public sealed class ObjectStoreTests : IDisposable
{
    private const string Name = "s3://bucket/dir/a b+c%20.img";
    private const string Path = "bucket/dir/a b+c%20.img";
    private const int Megabyte = 1 << 20;

    private readonly S3TestServer _store = new();
    private readonly TempDirectory _directory = new();
    private readonly ProtocolLocator _locator;

    public ObjectStoreTests()
    {
        S3Settings settings = new()
        {
            Endpoint = new Uri(_store.Address),
            Region = S3TestServer.Region,
            Credentials = new S3Credentials(S3TestServer.AccessKey, S3TestServer.SecretKey),
            PartLength = 5 * Megabyte,
            StagingDirectory = _directory.Path,
            Http = HttpFileTests.Quick with { ChunkLength = 256 * 1024, LongestDelay = TimeSpan.FromMilliseconds(20) },
        };
        _locator = new ProtocolLocator(new LocalFileLocator(), new ObjectStoreProtocol(settings));
    }

    [Fact]
    public void AnObjectIsReadByRanges()
    {
        byte[] content = HttpFileTests.Content(3 * Megabyte + 17);
        _store[Path] = content;
        using IBlockFile file = _locator.Open(Name, OpenMode.ReadOnly);
        Assert.Equal(content, HttpFileTests.ReadAll(file));
        Assert.Empty(_store.Refusals);
    }

    [Theory]
    [InlineData("s3://bucket/a/../b")]
    [InlineData("s3://bucket/./a//b/")]
    [InlineData("s3://bucket/ä?x=1&y#z")]
    [InlineData("s3://bucket/%2e%2e/a")]
    public void AKeyIsTakenAsItStands(string name)
    {
        _store[name[5..]] = [1, 2, 3];
        using IBlockFile file = _locator.Open(name, OpenMode.ReadOnly);
        Assert.Equal([1, 2, 3], HttpFileTests.ReadAll(file));
    }

    [Fact]
    public void AnObjectThatIsNotThereIsNotFound()
    {
        ImageException e = Assert.Throws<ImageException>(() => _locator.Open(Name, OpenMode.ReadOnly));
        Assert.Equal((ImageErrorKind.NotFound, "There is no such object"), (e.Kind, e.Message));
        Assert.False(_locator.Exists(Name));
    }

    [Fact]
    public void WrongKeysAreToldAndNotShown()
    {
        _store[Path] = [1];
        S3Settings wrong = new()
        {
            Endpoint = new Uri(_store.Address),
            Region = S3TestServer.Region,
            Credentials = new S3Credentials(S3TestServer.AccessKey, "other-secret"),
            Http = HttpFileTests.Quick,
        };
        ImageException e = Assert.Throws<ImageException>(() => new ObjectStoreProtocol(wrong).Open(Name, OpenMode.ReadOnly, _locator));
        Assert.StartsWith("The object store refuses: SignatureDoesNotMatch", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("other-secret", e.Message + e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void PublicObjectsAreReadAsNobody()
    {
        _store[Path] = [1];
        _store.AllowsAnonymous = true;
        S3Settings nobody = new() { Endpoint = new Uri(_store.Address), Region = S3TestServer.Region, Http = HttpFileTests.Quick };
        using IBlockFile file = new ObjectStoreProtocol(nobody).Open(Name, OpenMode.ReadOnly, _locator);
        Assert.Equal([1], HttpFileTests.ReadAll(file));
    }

    [Theory]
    [InlineData("raw", 0)]
    [InlineData("raw", 512)]
    [InlineData("raw", 5 * Megabyte)]
    [InlineData("raw", 5 * Megabyte + 512)]
    [InlineData("raw", 23 * Megabyte + 1024)]
    [InlineData("qcow2", 23 * Megabyte)]
    [InlineData("vmdk", 12 * Megabyte)]
    [InlineData("vpc", 12 * Megabyte)]
    [InlineData("vhdx", 12 * Megabyte)]
    public void AnImageIsConvertedToAnObject(string format, int length)
    {
        byte[] guest = Guest(length);
        Convert(guest, format);
        using (LayeredDisk disk = new ChainOpener(_locator).Open(Name, new ChainOptions { Format = format }))
        {
            byte[] read = new byte[length];
            disk.Read(0, read);
            Assert.True(guest.AsSpan().SequenceEqual(read));
        }

        Assert.Empty(_store.Refusals);
        Assert.Equal(0, _store.OpenUploads);
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Path));
        if (format == "raw")
        {
            Assert.True(guest.AsSpan().SequenceEqual(_store[Path]));
        }
    }

    [Fact]
    public void AnImageOfSeveralFilesHasAllOfThemThere()
    {
        byte[] guest = Guest(6 * Megabyte);
        Convert(guest, "vmdk", new Dictionary<string, string> { ["subformat"] = "monolithicFlat" }, "s3://bucket/vm/disk.vmdk");
        Assert.True(guest.AsSpan().SequenceEqual(_store["bucket/vm/disk-flat.vmdk"]));
        Assert.NotNull(_store["bucket/vm/disk.vmdk"]);
    }

    [Fact]
    public void ARawImageNeedsNoRoomHere()
    {
        _store.Fault = query =>
        {
            Assert.Empty(Directory.GetFileSystemEntries(_directory.Path));
            return null;
        };
        Convert(Guest(12 * Megabyte), "raw");
        Assert.NotNull(_store[Path]);
    }

    [Theory]
    [InlineData("500")]
    [InlineData("slow-down")]
    [InlineData("drop")]
    [InlineData("lost-answer")]
    [InlineData("wrong-tag")]
    [InlineData("bad-digest")]
    public void TroubleThatPassesIsNotSeen(string trouble)
    {
        Dictionary<string, int> seen = [];
        bool First(HttpQuery query)
        {
            // Every request fails once, each in its own way.
            lock (seen)
            {
                string key = query.Method + query.Target + query.Header("Range");
                seen[key] = seen.GetValueOrDefault(key) + 1;
                return seen[key] == 1;
            }
        }

        HttpReply Answer(HttpQuery query) => trouble switch
        {
            "500" => HttpReply.Text(500, "<Error><Code>InternalError</Code></Error>"),
            "slow-down" => HttpReply.Text(503, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>").With("Retry-After", "0"),
            "wrong-tag" when query.Method == "PUT" => new HttpReply(200).With("ETag", "\"d41d8cd98f00b204e9800998ecf8427e\""),
            "bad-digest" when query.Method == "PUT" => HttpReply.Text(400, "<Error><Code>BadDigest</Code></Error>"),
            "wrong-tag" or "bad-digest" => new HttpReply(502),
            _ => new HttpReply(200) { Drop = true },
        };
        if (trouble == "lost-answer")
        {
            _store.LostAnswer = query => First(query) ? Answer(query) : null;
        }
        else
        {
            _store.Fault = query => First(query) ? Answer(query) : null;
        }

        byte[] guest = Guest(12 * Megabyte);
        Convert(guest, "raw");
        Assert.True(guest.AsSpan().SequenceEqual(_store[Path]));
    }

    [Theory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public void AConnectionLostInTheMiddleOfAPartIsNotSeen(string format)
    {
        int cuts = 0;
        _store.Server.HangUp = (method, _) => method == "PUT" && Interlocked.Increment(ref cuts) <= 2 ? 1_000_000 : null;
        byte[] guest = Guest(12 * Megabyte);
        Convert(guest, format);
        using LayeredDisk disk = new ChainOpener(_locator).Open(Name, new ChainOptions { Format = format });
        byte[] read = new byte[guest.Length];
        disk.Read(0, read);
        Assert.True(guest.AsSpan().SequenceEqual(read));
        Assert.True(cuts >= 2);
    }

    [Theory]
    [InlineData("raw", "PUT")]
    [InlineData("qcow2", "PUT")]
    [InlineData("raw", "POST")]
    [InlineData("qcow2", "POST")]
    public void WhatFailsForGoodLeavesNothing(string format, string method)
    {
        byte[] before = [1, 2, 3];
        _store[Path] = before;
        _store.Fault = query => query.Method == method && query.QueryText.Contains("uploadId", StringComparison.Ordinal)
            && (method == "POST" || query.QueryText.Contains("partNumber=2", StringComparison.Ordinal))
            ? HttpReply.Text(403, "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>")
            : null;
        ImageException e = Assert.Throws<ImageException>(() => Convert(Guest(12 * Megabyte), format));
        Assert.Equal("The object store refuses: AccessDenied (No)", e.Message);
        Assert.Equal(0, _store.OpenUploads);
        Assert.Equal(before, _store[Path]);
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void PartsThatCannotBePutTogetherAreAnErrorInSpiteOfTheStatus()
    {
        _store.Fault = query => query.Method == "POST" && query.QueryText.StartsWith("uploadId", StringComparison.Ordinal)
            ? HttpReply.Text(200, "<?xml version=\"1.0\"?>\n\n<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>")
            : null;
        ImageException e = Assert.Throws<ImageException>(() => Convert(Guest(12 * Megabyte), "raw"));
        Assert.StartsWith("The object store did not put the parts together: InternalError", e.Message, StringComparison.Ordinal);
        Assert.Equal(0, _store.OpenUploads);
        Assert.Null(_store[Path]);
    }

    [Fact]
    public void ATargetThatIsNotFinishedIsNeverSeen()
    {
        foreach (string format in (string[])["raw", "qcow2"])
        {
            using (StagedTarget staged = _locator.Stage(Name)!)
            using (IFillTarget target = FormatRegistry.Find(format)!.CreateFill(Request(staged, 12 * Megabyte)))
            {
                new Converter(new MemorySource(Guest(12 * Megabyte)), target, new ConvertOptions { Threads = 2 }).Run(CancellationToken.None);
                target.Finish();
            }

            Assert.Null(_store[Path]);
            Assert.Equal(0, _store.OpenUploads);
        }
    }

    [Fact]
    public void AnObjectIsNotWrittenInPlace()
    {
        _store[Path] = new byte[1024];
        Assert.Equal("An object cannot be changed in place", Assert.Throws<ImageException>(() => _locator.Open(Name, OpenMode.ReadWrite)).Message);
        Assert.Equal("An object cannot be changed in place", Assert.Throws<ImageException>(() => _locator.Create(Name, 1, OpenMode.ReadWrite)).Message);
    }

    [Theory]
    [InlineData("s3://bucket", "a/1 x b/2&< b/ä c")]
    [InlineData("s3://bucket/b", "2&< ä")]
    [InlineData("s3://bucket/none", "")]
    public void AListOfObjectsIsReadPageByPage(string root, string expected)
    {
        foreach (string key in (string[])["a/1 x", "b/2&<", "b/ä", "c", "b/"])
        {
            _store[$"bucket/{key}"] = [1];
        }

        _store["other/d"] = [1];
        _store.PageLength = 2;
        Assert.Equal(expected, string.Join(' ', _locator.ProtocolOf(root)!.List(root, CancellationToken.None)));
        Assert.Empty(_store.Refusals);
    }

    [Fact]
    public void AListThatDoesNotGoOnIsGivenUp()
    {
        const string Page = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken></ListBucketResult>";
        int pages = 0;
        _store.Fault = _ => ++pages <= 100 ? HttpReply.Text(200, Page) : null;
        ImageException e = Assert.Throws<ImageException>(() => _locator.ProtocolOf("s3://bucket")!.List("s3://bucket", CancellationToken.None).Count());
        Assert.Equal("The object store's list of objects does not go on", e.Message);
        Assert.Equal(2, pages);
    }

    [Fact]
    public void AStoreThatCannotBeReachedIsToldBeforeAnyWork()
    {
        S3TestServer gone = new();
        gone.Dispose();
        ObjectStoreProtocol protocol = new(new S3Settings { Endpoint = new Uri(gone.Address), Http = HttpFileTests.Quick });
        ImageException e = Assert.Throws<ImageException>(() => protocol.Stage(Name, _locator));
        Assert.EndsWith("Connection refused", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ABucketOfAnotherRegionIsToldBeforeAnyWork()
    {
        _store.Fault = _ => new HttpReply(301).With("x-amz-bucket-region", "eu-central-1");
        ImageException e = Assert.Throws<ImageException>(() => _locator.Stage(Name));
        Assert.Equal("The bucket lies in region eu-central-1: set AWS_REGION.", e.Hint);
    }

    [Fact]
    public void AnEmptyImageIsCreated()
    {
        using (StagedTarget staged = _locator.Stage(Name)!)
        {
            FormatRegistry.Find("raw")!.Create(Request(staged, 11 * Megabyte));
            staged.Publish(CancellationToken.None);
        }

        Assert.Equal(11 * Megabyte, _store[Path]!.Length);
        Assert.True(_store[Path].AsSpan().IndexOfAnyExcept((byte)0) < 0);
    }

    public void Dispose()
    {
        _store.Dispose();
        _directory.Dispose();
    }

    private static byte[] Guest(int length)
    {
        byte[] guest = HttpFileTests.Content(length);

        // A whole part of zeros in the middle, and some at odd places.
        guest.AsSpan(Math.Min(length, 5 * Megabyte), Math.Min(6 * Megabyte, length - Math.Min(length, 5 * Megabyte))).Clear();
        return guest;
    }

    private static CreateRequest Request(StagedTarget staged, long size, IReadOnlyDictionary<string, string>? options = null, string name = Name) => new()
    {
        FileName = name,
        Locator = staged.Locator,
        VirtualSize = size,
        Options = options ?? new Dictionary<string, string>(),
    };

    private void Convert(byte[] guest, string format, IReadOnlyDictionary<string, string>? options = null, string name = Name)
    {
        using StagedTarget staged = _locator.Stage(name)!;
        using IFillTarget target = FormatRegistry.Find(format)!.CreateFill(Request(staged, guest.Length, options, name));
        new Converter(new MemorySource(guest), target, new ConvertOptions { Threads = 3 }).Run(CancellationToken.None);
        target.Finish();
        staged.Publish(CancellationToken.None);
    }

    private sealed class MemorySource(byte[] guest) : IConvertSource
    {
        public long VirtualSize => guest.Length;

        public SourceRange Map(long offset, long length) => new(length, SourceKind.Data);

        public void Read(long offset, Span<byte> buffer) => guest.AsSpan((int)offset, buffer.Length).CopyTo(buffer);
    }
}
