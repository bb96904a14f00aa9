using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using ImageCluster.Node.Remoting;
using ImageCluster.Node.Tests.Support;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Node.Tests.Remoting;

/// <summary>Actor systems that speak by the transport: small and large messages, in their order, and again after one of them was gone.</summary>
public sealed class TlsTransportTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly TempDirectory _directory = new();
    private readonly TestAuthority _authority;

    public TlsTransportTests() => _authority = new TestAuthority(_directory, "authority");

    public void Dispose()
    {
        _authority.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Messages_of_all_sizes_come_whole_and_in_order()
    {
        using ActorSystem here = Start("node1");
        using ActorSystem there = Start("node2");
        there.ActorOf(Props.Create(() => new Echo()), "echo");
        ActorSelection echo = here.ActorSelection($"{AddressOf(there)}/user/echo");
        using Inbox inbox = Inbox.Create(here);
        for (int i = 0; i < 300; i++)
        {
            echo.Tell(Message(i), inbox.Receiver);
        }

        for (int i = 0; i < 300; i++)
        {
            Assert.Equal(Message(i), await inbox.ReceiveAsync(Patience));
        }

        await Task.WhenAll(here.Terminate(), there.Terminate()).WaitAsync(Patience);
    }

    [Fact]
    public async Task A_node_that_comes_back_is_reached_again()
    {
        using ActorSystem here = Start("node1");
        ActorSystem there = Start("node2");
        there.ActorOf(Props.Create(() => new Echo()), "echo");
        Address address = Self(there);
        Assert.Equal("a", await here.ActorSelection($"{AddressOf(there)}/user/echo").Ask<string>("a", Patience));
        await there.Terminate().WaitAsync(Patience);
        using ActorSystem again = Start("node2", address.Port!.Value);
        again.ActorOf(Props.Create(() => new Echo()), "echo");
        string? answer = null;
        for (int i = 0; i < 100 && answer is null; i++)
        {
            try
            {
                answer = await here.ActorSelection($"{AddressOf(again)}/user/echo").Ask<string>("b", TimeSpan.FromSeconds(2));
            }
            catch (AskTimeoutException)
            {
                // It waits a while before it tries a node that was gone.
            }
        }

        Assert.Equal("b", answer);
    }

    // Some larger than what is written at once.
    private static string Message(int i) => new((char)('a' + i % 26), i % 50 == 7 ? 1_500_000 : i % 5 * 1000);

    private static Address Self(ActorSystem system) => ((ExtendedActorSystem)system).Provider.DefaultAddress;

    private static string AddressOf(ActorSystem system) => Self(system).ToString();

    private ActorSystem Start(string name, int port = 0)
    {
        var config = ConfigurationFactory.ParseString($$"""
            akka {
              loglevel = WARNING
              stdout-loglevel = OFF
              actor.provider = remote
              remote.dot-netty.tcp {
                transport-class = "{{typeof(TlsTransport).FullName}}, {{typeof(TlsTransport).Assembly.GetName().Name}}"
                hostname = 127.0.0.1
                port = {{port}}
                maximum-frame-size = 4000000b
              }
            }
            """);
        var tls = new TlsSetup(new NodeIdentity(_authority.Issue(name)));
        return ActorSystem.Create("imagecluster", ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(config), tls));
    }

    private sealed class Echo : ReceiveActor
    {
        public Echo() => ReceiveAny(message => Sender.Tell(message));
    }
}
