using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Nbd;
using ImageCluster.Testing.Nbd;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

/// <summary>A server that says what no server may: one clear error each, soon, and without memory in proportion to what it claims.</summary>
public sealed class NbdHostileTests
{
    private const ulong Size = 1 << 20;

    private static readonly Dictionary<string, (Action<NbdPeer> Serve, string Message)> Greetings = new()
    {
        ["junk"] = (static p => p.Send("HTTP/1.1 400 Bad request\r\n\r\n"), "Bad initial magic received: 0x485454502f312e31"),
        ["nothing"] = (static _ => { }, "Failed to read initial magic: Unexpected end-of-file before all data were read"),
        ["half a magic"] = (static p => p.Send("NBDMA"), "Failed to read initial magic: Unexpected end-of-file before all data were read"),
        ["wrong second magic"] = (static p => p.Send("NBDMAGIC", "HAVEOPT!"), "Bad server magic received: 0x484156454f505421"),
        ["wrong reply magic"] = (static p => Option(p, static (p, o) => p.Send(1UL, o, 1u, 0u)), "Protocol error: unexpected option reply magic 0x1"),
        ["reply to another option"] = (static p => Option(p, static (p, o) => p.Reply(3, 1)), "Protocol error: unexpected option type 3 (list), expected 8 (structured reply)"),
        ["a reply of 4 GiB"] = (static p => Option(p, static (p, o) => p.Send(0x0003e889045565a9UL, o, 1u, uint.MaxValue)), "Protocol error: option reply of 4294967295 bytes is too long"),
        ["an answer to structured replies with a payload"] = (static p => Option(p, static (p, o) => p.Reply(o, 1, 0u)), "Protocol error: unexpected reply type 1 to option structured reply"),
        ["another context"] = (static p => Options(p, 10, static p => p.Reply(10, 4, 1u, "base:other")), "Protocol error: server replied with a metadata context that was not asked for"),
        ["the context twice"] = (static p => Options(p, 10, static p =>
        {
            p.Reply(10, 4, 1u, "base:allocation");
            p.Reply(10, 4, 2u, "base:allocation");
        }), "Protocol error: server replied with a metadata context that was not asked for"),
        ["no size"] = (static p => Options(p, 7, static p => p.Reply(7, 1)), "Protocol error: broken server omitted NBD_INFO_EXPORT"),
        ["a short size"] = (static p => Options(p, 7, static p => p.Reply(7, 3, (ushort)0, 5u)), "Protocol error: info reply is of incorrect size"),
        ["a size beyond all"] = (static p => Options(p, 7, static p => Export(p, ulong.MaxValue)), "export size 18446744073709551615 is beyond the limit"),
        ["a size beyond signed numbers"] = (static p => Options(p, 7, static p => Export(p, 1UL << 63)), "export size 9223372036854775808 is beyond the limit"),
        ["block size 0"] = (static p => Options(p, 7, static p => Export(p, Size, 0, 4096, 65536)), "Protocol error: server minimum block size 0 is not a power of two up to 65536"),
        ["block size 3"] = (static p => Options(p, 7, static p => Export(p, Size, 3, 4096, 65536)), "Protocol error: server minimum block size 3 is not a power of two up to 65536"),
        ["a block of 2 GiB"] = (static p => Options(p, 7, static p => Export(p, 1UL << 40, 1u << 31, 1u << 31, 1u << 31)), "Protocol error: server minimum block size 2147483648 is not a power of two up to 65536"),
        ["a preferred block below the least"] = (static p => Options(p, 7, static p => Export(p, Size, 4096, 512, 65536)), "Protocol error: server preferred block size 512 is not valid"),
        ["a largest block below the least"] = (static p => Options(p, 7, static p => Export(p, Size, 4096, 4096, 0)), "Protocol error: server maximum block size 0 is not valid"),
        ["a largest block that is no multiple"] = (static p => Options(p, 7, static p => Export(p, Size, 4096, 4096, 65537)), "Protocol error: server maximum block size 65537 is not valid"),
        ["a size that is no multiple"] = (static p => Options(p, 7, static p => Export(p, Size + 1, 4096, 4096, 65536)), "Protocol error: export size 1048577 is not multiple of minimum block size 4096"),
        ["endless replies"] = (static p => Options(p, 7, static p =>
        {
            while (true)
            {
                p.Reply(7, 3, (ushort)9);
            }
        }), "Protocol error: server sent more than 4096 replies to option go"),
        ["an endless list of exports"] = (static p => Options(p, 3, static p =>
        {
            while (true)
            {
                p.Reply(3, 2, 1u, "x");
            }
        }), "Protocol error: server sent more than 4096 replies to option list"),
        ["a list with wrong lengths"] = (static p => Options(p, 3, static p => p.Reply(3, 2, 100u, "x")), "Protocol error: incorrect length of an entry of the list of exports"),
        ["a list without the export"] = (static p => Options(p, 3, static p =>
        {
            p.Reply(3, 2, 1u, "x");
            p.Reply(3, 1);
        }), "Requested export not available"),
        ["TLS only"] = (static p => Options(p, 7, static p => p.Reply(7, 0x80000005)), "TLS negotiation required before option 7 (go)"),
        ["denied"] = (static p => Options(p, 7, static p => p.Reply(7, 0x80000002, "no\u001b[2Jno")), "Denied by server for option 7 (go)"),
        ["shutting down"] = (static p => Options(p, 7, static p => p.Reply(7, 0x80000007)), "Server shutting down before option 7 (go)"),
        ["an unknown error"] = (static p => Options(p, 7, static p => p.Reply(7, 0x8000ffff)), "Unknown error code when asking for option 7 (go)"),
    };

    private static readonly Dictionary<string, (Action<NbdPeer, NbdPeerRequest> Answer, string Message)> Answers = new()
    {
        ["a wrong magic"] = (static (p, r) => p.Send(0xdeadbeefu, 0u, r.Cookie), "Protocol error: invalid magic 0xdeadbeef of a reply"),
        ["a wrong cookie"] = (static (p, r) => p.Data(r with { Cookie = r.Cookie + 1 }, new byte[r.Length]), "Protocol error: unexpected reply with cookie 0x"),
        ["a simple reply"] = (static (p, r) => p.SimpleReply(r.Cookie), "Protocol error: simple reply when structured reply chunk was expected"),
        ["no data"] = (static (p, r) => p.Chunk(r.Cookie, 0, true), "Protocol error: server did not send all of a read's bytes"),
        ["empty chunks for ever"] = (static (p, r) =>
        {
            while (true)
            {
                p.Chunk(r.Cookie, 0, false);
            }
        }, "Protocol error: server sent an empty chunk that is not the last, or is not empty"),
        ["data of no bytes"] = (static (p, r) => p.Chunk(r.Cookie, 1, false, r.Offset), "Protocol error: invalid payload for NBD_REPLY_TYPE_OFFSET_DATA"),
        ["4 GiB of data"] = (static (p, r) => p.Send(0x668e33efu, (ushort)1, (ushort)1, r.Cookie, uint.MaxValue, r.Offset), "Protocol error: server sent chunk out of bounds of the request"),
        ["more data than asked for"] = (static (p, r) => p.Data(r, new byte[r.Length + 1]), "Protocol error: server sent chunk out of bounds of the request"),
        ["less data than asked for"] = (static (p, r) => p.Data(r, new byte[r.Length - 1]), "Protocol error: server did not send all of a read's bytes"),
        ["data before what was asked for"] = (static (p, r) => p.Data(r with { Offset = r.Offset - 1 }, new byte[r.Length]), "Protocol error: server sent chunk out of bounds of the request"),
        ["data at the end of all numbers"] = (static (p, r) => p.Data(r with { Offset = ulong.MaxValue }, new byte[r.Length]), "Protocol error: server sent chunk out of bounds of the request"),
        ["the same data twice"] = (static (p, r) =>
        {
            p.Chunk(r.Cookie, 1, false, r.Offset, new byte[r.Length]);
            p.Data(r, new byte[r.Length]);
        }, "Protocol error: server sent"),
        ["a hole of 4 GiB"] = (static (p, r) => p.Chunk(r.Cookie, 2, true, r.Offset, uint.MaxValue), "Protocol error: server sent chunk out of bounds of the request"),
        ["a hole of nothing"] = (static (p, r) => p.Chunk(r.Cookie, 2, true, r.Offset, 0u), "Protocol error: server sent chunk out of bounds of the request"),
        ["a hole with data"] = (static (p, r) => p.Chunk(r.Cookie, 2, true, r.Offset, r.Length, 0u), "Protocol error: invalid payload for NBD_REPLY_TYPE_OFFSET_HOLE"),
        ["an unknown chunk"] = (static (p, r) => p.Chunk(r.Cookie, 77, true), "Protocol error: server sent chunk of unknown type 77"),
        ["block status for a read"] = (static (p, r) => p.Chunk(r.Cookie, 5, true, 1u, 1u, 0u), "Protocol error: server sent a block status that was not asked for"),
        ["an error without a number"] = (static (p, r) => p.Chunk(r.Cookie, 0x8001, true, 0u, (ushort)0), "Protocol error: server sent error chunk with error = 0"),
        ["an error with a message longer than it"] = (static (p, r) => p.Chunk(r.Cookie, 0x8001, true, 5u, (ushort)9, "x"), "Protocol error: error chunk's message is longer than the chunk"),
        ["an error of 4 GiB"] = (static (p, r) => p.Send(0x668e33efu, (ushort)1, (ushort)0x8001, r.Cookie, uint.MaxValue), "Protocol error: invalid payload for an error chunk"),
        ["errors for ever"] = (static (p, r) =>
        {
            while (true)
            {
                p.Chunk(r.Cookie, 0x8001, false, 5u, (ushort)0);
            }
        }, "Protocol error: server sent too many errors for one request"),
        ["single bytes out of order for ever"] = (static (p, r) =>
        {
            for (uint i = 1; ; i += 2)
            {
                p.Chunk(r.Cookie, 1, false, r.Offset + i, new byte[1]);
            }
        }, "Protocol error: server sent"),
    };

    private static readonly Dictionary<string, (Action<NbdPeer, NbdPeerRequest> Answer, string Message)> Statuses = new()
    {
        ["none"] = (static (p, r) => p.Chunk(r.Cookie, 0, true), "Protocol error: server did not reply with any status extents"),
        ["simple reply"] = (static (p, r) => p.SimpleReply(r.Cookie), "Protocol error: simple reply when structured reply chunk was expected"),
        ["no extent"] = (static (p, r) => p.Chunk(r.Cookie, 5, true, 1u), "Protocol error: invalid payload for NBD_REPLY_TYPE_BLOCK_STATUS"),
        ["half an extent"] = (static (p, r) => p.Chunk(r.Cookie, 5, true, 1u, 8u), "Protocol error: invalid payload for NBD_REPLY_TYPE_BLOCK_STATUS"),
        ["another context"] = (static (p, r) => p.Chunk(r.Cookie, 5, true, 2u, 8u, 0u), "Protocol error: unexpected context id"),
        ["an extent of no bytes"] = (static (p, r) => p.Chunk(r.Cookie, 5, true, 1u, 0u, 0u), "Protocol error: server sent status chunk with zero length"),
        ["4 GiB of extents"] = (static (p, r) => p.Send(0x668e33efu, (ushort)1, (ushort)5, r.Cookie, uint.MaxValue), "Protocol error: invalid payload for NBD_REPLY_TYPE_BLOCK_STATUS"),
        ["extents twice"] = (static (p, r) =>
        {
            p.Chunk(r.Cookie, 5, false, 1u, 4096u, 0u);
            p.Chunk(r.Cookie, 5, true, 1u, 4096u, 0u);
        }, "Protocol error: server sent a block status that was not asked for"),
        ["data"] = (static (p, r) => p.Data(r, new byte[10]), "Protocol error: invalid payload for NBD_REPLY_TYPE_OFFSET_DATA"),
    };

    public static TheoryData<string> GreetingNames => [.. Greetings.Keys];

    public static TheoryData<string> AnswerNames => [.. Answers.Keys];

    public static TheoryData<string> StatusNames => [.. Statuses.Keys];

    [Theory]
    [MemberData(nameof(GreetingNames))]
    public void Greeting(string name)
    {
        (Action<NbdPeer> serve, string message) = Greetings[name];
        using FakeNbdServer server = new(serve);
        ImageException e = Assert.Throws<ImageException>(() => NbdTestFile.Open(server.Url));
        Assert.Equal(message, e.Message);
        Assert.Equal(server.Url, e.File);
        Assert.DoesNotContain('\u001b', e.Hint ?? "");
    }

    [Theory]
    [MemberData(nameof(AnswerNames))]
    public void AnswerToARead(string name)
    {
        (Action<NbdPeer, NbdPeerRequest> answer, string message) = Answers[name];
        using FakeNbdServer server = Answering(answer);
        using IBlockFile file = NbdTestFile.Open(server.Url);
        byte[] buffer = new byte[4096];
        ImageException e = Assert.Throws<ImageException>(() => file.Read(8192, buffer));
        Assert.StartsWith("Could not read 4096 bytes at offset 8192: " + message, e.Message, StringComparison.Ordinal);
        Assert.Equal(1, server.Connections);
    }

    [Theory]
    [MemberData(nameof(StatusNames))]
    public void AnswerToBlockStatus(string name)
    {
        (Action<NbdPeer, NbdPeerRequest> answer, string message) = Statuses[name];
        using FakeNbdServer server = Answering(answer);
        using IBlockFile file = NbdTestFile.Open(server.Url);
        ImageException e = Assert.Throws<ImageException>(() => file.NextRange(8192, 4096));
        Assert.Equal("Could not get the block status at offset 8192: " + message, e.Message);
    }

    [Theory]
    [InlineData(5u, "Input/output error")]
    [InlineData(28u, "No space left on device")]
    [InlineData(77777u, "Invalid argument")]
    public void AnErrorMayComeWithWords(uint error, string text)
    {
        using FakeNbdServer server = Answering((p, r) => p.Chunk(r.Cookie, 0x8002, true, error, (ushort)8, "disk\u001b[m!", r.Offset));
        using IBlockFile file = NbdTestFile.Open(server.Url);
        ImageException e = Assert.Throws<ImageException>(() => file.Read(0, new byte[10]));
        Assert.Equal($"Could not read 10 bytes at offset 0: {text}", e.Message);
        Assert.Equal("server reported: disk [m!", e.Hint);
    }

    [Fact]
    public void PiecesMayComeInAnyOrder()
    {
        using FakeNbdServer server = Answering(static (p, r) =>
        {
            p.Chunk(r.Cookie, 1, false, r.Offset + 3000, Enumerable.Repeat((byte)3, (int)r.Length - 3000).ToArray());
            p.Chunk(r.Cookie, 2, false, r.Offset + 1000, 2000u);
            p.Chunk(r.Cookie, 1, false, r.Offset, Enumerable.Repeat((byte)1, 1000).ToArray());
            p.Chunk(r.Cookie, 0, true);
        });
        using IBlockFile file = NbdTestFile.Open(server.Url);
        byte[] buffer = [.. Enumerable.Repeat((byte)9, 4096)];
        file.Read(0, buffer);
        byte[] expected = [.. Enumerable.Repeat((byte)1, 1000), .. new byte[2000], .. Enumerable.Repeat((byte)3, 1096)];
        Assert.Equal(expected, buffer);
    }

    [Fact]
    public void AnswersMayComeInAnyOrder()
    {
        using FakeNbdServer server = new(static p =>
        {
            p.Negotiate(64 << 20);
            List<NbdPeerRequest> held = [];
            while (p.ReceiveRequest() is { } request)
            {
                held.Add(request);
                if (held.Count == 8)
                {
                    for (int i = 7; i >= 0; i--)
                    {
                        p.Data(held[i], Enumerable.Repeat((byte)(held[i].Offset >> 19), (int)held[i].Length).ToArray());
                    }

                    held.Clear();
                }
            }
        });
        using IBlockFile file = NbdTestFile.Open(server.Url);
        byte[] buffer = new byte[8 << 19];
        file.Read(0, buffer);
        for (int i = 0; i < 8; i++)
        {
            Assert.Equal(i, buffer[i << 19]);
            Assert.Equal(i, buffer[((i + 1) << 19) - 1]);
        }
    }

    [Theory]
    [InlineData(4096, "5000:3 3192:0", "0-4096:hz 4096-8192:d")]
    [InlineData(4096, "100:3 8092:0", "0-4096:d 4096-8192:d")]
    [InlineData(1, "100:3 50:2 50:1", "0-100:hz 100-150:z 150-200:d")]
    [InlineData(1, "4294967295:3", "0-8192:hz")]
    [InlineData(4096, "8192:3 4096:0", "0-8192:hz")]
    public void ExtentsAreTakenAsFarAsTheyMakeSense(int block, string extents, string expected)
    {
        using FakeNbdServer server = new(p =>
        {
            p.Negotiate(8192, minimum: (uint)block);
            bool isFirst = true;
            while (p.ReceiveRequest() is { } r)
            {
                object[] all = [.. extents.Split(' ').SelectMany(static e => e.Split(':')).Select(static n => (object)uint.Parse(n))];
                p.Chunk(r.Cookie, 5, true, isFirst ? [1u, .. all] : [1u, r.Length, 0u]);
                isFirst = false;
            }
        });
        using var file = (NbdFile)NbdTestFile.Open(server.Url);
        List<string> seen = [];
        for (long at = 0; seen.Count < expected.Split(' ').Length;)
        {
            AllocationRange range = file.NextStatus(at, 8192 - at);
            string kind = (range.IsAllocated ? "" : "h") + (range.IsZero ? "z" : "");
            seen.Add($"{at}-{Math.Min(at + range.Length, Stop(seen.Count))}:{(range.IsZero ? kind : "d")}");
            at += range.Length;
        }

        Assert.Equal(expected, string.Join(' ', seen));

        // Where the last run goes on in the next answer only its start counts here.
        long Stop(int index) => long.Parse(expected.Split(' ')[index].Split('-', ':')[1]);
    }

    [Fact]
    public void AMillionExtentsAreNotKept()
    {
        using FakeNbdServer server = Answering(static (p, r) =>
        {
            // 512 bytes each, alternating: more than are kept of one answer, more than were asked for.
            byte[] descriptors = new byte[8 * 100_000];
            for (int i = 0; i < 100_000; i++)
            {
                descriptors[(i * 8) + 2] = 2;
                descriptors[(i * 8) + 7] = (byte)(i % 2 * 3);
            }

            p.Chunk(r.Cookie, 5, true, 1u, descriptors);
        }, size: 1UL << 30);
        using IBlockFile file = NbdTestFile.Open(server.Url);
        Assert.Equal((512, false), file.NextRange(0, 1 << 20));
        Assert.Equal((512, true), file.NextRange(512, 1 << 20));
        Assert.Equal((512, false), file.NextRange(512L * NbdRequest.MaxExtents, 1 << 20));
    }

    private static FakeNbdServer Answering(Action<NbdPeer, NbdPeerRequest> answer, ulong size = Size) => new(p =>
    {
        p.Negotiate(size);
        while (p.ReceiveRequest() is { } request)
        {
            answer(p, request);
        }
    });

    // Greets, and answers the client's first option.
    private static void Option(NbdPeer peer, Action<NbdPeer, uint> answer)
    {
        peer.Greet();
        answer(peer, peer.ReceiveOption().Option);
        peer.Receive(1);
    }

    // Plays along up to that option.
    private static void Options(NbdPeer peer, uint last, Action<NbdPeer> answer)
    {
        peer.Greet();
        while (peer.ReceiveOption().Option is var option && option != last)
        {
            peer.Reply(option, option == 8 ? 1u : 0x80000001);
        }

        answer(peer);
        peer.Receive(1);
    }

    private static void Export(NbdPeer peer, ulong size, uint? minimum = null, uint preferred = 0, uint maximum = 0)
    {
        peer.Reply(7, 3, (ushort)0, size, (ushort)1);
        if (minimum is { } least)
        {
            peer.Reply(7, 3, (ushort)3, least, preferred, maximum);
        }

        peer.Reply(7, 1);
    }
}
