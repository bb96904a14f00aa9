using ImageCluster.Imaging.Storage.Nbd;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

public sealed class NbdNameTests
{
    // What qemu-img 7.2 info shows, or says, of these names.
    [Theory]
    [InlineData("nbd://host", "nbd://host:10809")]
    [InlineData("nbd://host/", "nbd://host:10809")]
    [InlineData("nbd://host:0/x", "nbd://host:10809/x")]
    [InlineData("nbd+tcp://host:1/a/b", "nbd://host:1/a/b")]
    [InlineData("nbd://host:1/a%20b%2Fc", "nbd://host:1/a b/c")]
    [InlineData("nbd://[::1]:1/", "nbd://::1:1")]
    [InlineData("nbd://[::1]/x", "nbd://::1:10809/x")]
    [InlineData("nbd+unix:///x?socket=/tmp/s", "nbd+unix:///x?socket=/tmp/s")]
    [InlineData("nbd+unix:////x?socket=s%2es", "nbd+unix:////x?socket=s.s")]
    [InlineData("nbd+unix://?socket=s", "nbd+unix://?socket=s")]
    [InlineData("nbd:unix:/tmp/s", "nbd+unix://?socket=/tmp/s")]
    [InlineData("nbd:unix:/tmp/s:exportname=a:b", "nbd+unix:///a:b?socket=/tmp/s")]
    [InlineData("nbd:host:1:exportname=x", "nbd://host:1/x")]
    [InlineData("nbd:[::1]:1", "nbd://::1:1")]
    [InlineData("nbd:host:1,ipv4=on", "nbd://host:1")]
    public void IsUnderstood(string name, string shown)
    {
        NbdAddress address = NbdName.Parse(name);
        Assert.Equal(shown, address.ToString());
        Assert.Equal(address, NbdName.Parse(address.ToName()));
    }

    [Theory]
    [InlineData("nbd://", "No valid URL specified")]
    [InlineData("nbd:///x", "No valid URL specified")]
    [InlineData("nbd://host:abc", "No valid URL specified")]
    [InlineData("nbd://host:99999", "No valid URL specified")]
    [InlineData("nbd://host?socket=s", "No valid URL specified")]
    [InlineData("nbd://host/x?y=z", "No valid URL specified")]
    [InlineData("nbd+unix:///x", "No valid URL specified")]
    [InlineData("nbd+unix://host/x?socket=s", "No valid URL specified")]
    [InlineData("nbd+unix:///x?socket=s&x=y", "No valid URL specified")]
    [InlineData("nbd+unix:///x?SOCKET=s", "No valid URL specified")]
    [InlineData("nbd:", "NBD server address missing")]
    [InlineData("nbd:host", "error parsing address 'host'")]
    [InlineData("nbd:host:", "error parsing address 'host:'")]
    public void IsRefused(string name, string message) => Assert.Equal(message, Assert.Throws<ImageException>(() => NbdName.Parse(name)).Message);

    [Fact]
    public void NamesThatCannotBeSentAreRefused()
    {
        Assert.Equal("export name too long to send to server",
            Assert.Throws<ImageException>(() => NbdName.Parse("nbd://h/" + new string('x', 4097))).Message);
        NbdName.Parse("nbd://h/" + new string('x', 4096));
        Assert.EndsWith("is too long", Assert.Throws<ImageException>(() => NbdName.Parse("nbd:unix:/" + new string('x', 107))).Message, StringComparison.Ordinal);
        NbdName.Parse("nbd:unix:/" + new string('x', 106));
    }

    [Theory]
    [InlineData("a?b#c%d e&f=g")]
    [InlineData("/a//b/")]
    [InlineData("ü:exportname=x")]
    public void AnyExportSurvivesItsName(string export)
    {
        var address = new NbdAddress { SocketPath = "/tmp/a b?c", Export = export, TlsCredentials = "id", TlsHostName = "h" };
        Assert.Equal(address, NbdName.Parse(address.ToName()));
        address = new NbdAddress { Host = "::1", Port = "7", Export = export };
        Assert.Equal(address, NbdName.Parse(address.ToName()));
    }

    // As qemu-img 7.2 has it with --image-opts driver=nbd,...
    [Theory]
    [InlineData("server.type=unix,server.path=s,export=x", "nbd+unix:///x?socket=s")]
    [InlineData("server.type=inet,server.host=h,server.port=1", "nbd://h:1")]
    [InlineData("path=s,reconnect-delay=3,open-timeout=2", "nbd+unix://?socket=s")]
    [InlineData("host=h", "nbd://h:10809")]
    [InlineData("host=h,port=2,export=x", "nbd://h:2/x")]
    public void OptionsSayTheSame(string options, string shown) => Assert.Equal(shown, NbdName.Parse(NameOf(options)).ToString());

    [Theory]
    [InlineData("export=x", "NBD server address missing")]
    [InlineData("port=1", "NBD server address missing")]
    [InlineData("server.path=s", "Parameter 'type' is missing")]
    [InlineData("server.type=unix", "Parameter 'path' is missing")]
    [InlineData("server.type=inet,server.host=h", "Parameter 'port' is missing")]
    [InlineData("server.type=foo", "Parameter 'type' does not accept value 'foo'")]
    [InlineData("host=h,path=s", "path and host may not be used at the same time")]
    [InlineData("server.type=unix,server.path=s,host=h", "Cannot use 'server' and path/host/port at the same time")]
    [InlineData("path=s,reconnect-delay=x", "Parameter 'reconnect-delay' expects a number")]
    public void WrongOptionsAreNamed(string options, string message) =>
        Assert.Equal(message, Assert.Throws<ImageException>(() => NameOf(options)).Message);

    private static string NameOf(string options) => ProtocolRegistry.FindDriver("nbd")!
        .NameOf("nbd", options.Split(',').Select(static o => o.Split('=')).ToDictionary(static o => o[0], static o => o[1]));
}
