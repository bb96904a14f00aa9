using Google.Protobuf;

namespace ImageCluster.Jobs.Contracts;

/// <summary>One kind of event or message: its manifest, and the ways to and from bytes.</summary>
/// <param name="Manifest">Entity, kind and version, e.g. <c>image.lease-granted.v1</c>.</param>
/// <param name="Type">What it is in the domain.</param>
/// <param name="Encode">To its message.</param>
/// <param name="Decode">From bytes.</param>
internal sealed record Contract(string Manifest, Type Type, Func<object, IMessage> Encode, Func<ReadOnlyMemory<byte>, object> Decode)
{
    public static Contract Of<TDomain, TMessage>(string manifest, Func<TDomain, TMessage> encode, Func<TMessage, TDomain> decode)
        where TDomain : notnull
        where TMessage : class, IMessage<TMessage>, new()
    {
        var parser = new MessageParser<TMessage>(static () => new TMessage());
        return new Contract(manifest, typeof(TDomain), value => encode((TDomain)value), bytes => decode(parser.ParseFrom(bytes.Span)));
    }
}
