using Google.Protobuf;
using ImageCluster.Imaging.Operations.Comparing;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Images;
using static ImageCluster.Jobs.Contracts.ValueMapping;
using P = ImageCluster.Jobs.Contracts.V1;

namespace ImageCluster.Jobs.Contracts;

/// <summary>What single tasks found out, to the text of <see cref="ShardResult.Detail"/> and back: a name with its version, a colon, base 64.</summary>
public static class FindingsCodec
{
    private const string Probe = "probe.v1:";
    private const string Layout = "layout.v1:";
    private const string Compare = "compare.v1:";

    /// <summary>The result of <see cref="StageKind.Probe"/>.</summary>
    public static string Encode(ProbeFindings findings) => Write(Probe, new P.ProbeFindings
    {
        VirtualSize = (ulong)findings.Geometry.VirtualSize,
        ShardLength = (ulong)findings.Geometry.ShardLength,
        ShardsIndependent = findings.Geometry.ShardsIndependent,
        TakesRoom = findings.Geometry.TakesRoom,
        DataBytes = (ulong)findings.DataBytes,
        Fingerprint = findings.Fingerprint,
        Subject = findings.Subject,
        Chains = { findings.Chains.Select(chain => new P.ProbedChain { Image = ValueMapping.ToMessage(chain.Image), Layers = { chain.Layers.Select(ToMessage) } }) },
    });

    /// <summary>The result of <see cref="StageKind.Create"/> and <see cref="StageKind.Prepare"/>: where the target has room.</summary>
    public static string Encode(FillLayout layout) => Write(Layout, ValueMapping.ToMessage(layout));

    /// <summary>The result of a shard of <see cref="StageKind.Compare"/> that differs.</summary>
    public static string Encode(CompareFindings findings) =>
        Write(Compare, new P.CompareFindings { Verdict = (int)findings.Verdict, SizesDiffer = findings.SizesDiffer });

    /// <exception cref="ContractException">It is something else, damaged, or written by a newer version.</exception>
    public static ProbeFindings DecodeProbe(string detail) => Read(Probe, detail, P.ProbeFindings.Parser, message => new ProbeFindings
    {
        Geometry = new JobGeometry(ToLong(message.VirtualSize), ToLong(message.ShardLength), message.ShardsIndependent) { TakesRoom = message.TakesRoom },
        DataBytes = ToLong(message.DataBytes),
        Fingerprint = message.Fingerprint,
        Subject = message.Subject,
        Chains = [.. message.Chains.Select(chain => new ProbedChain(ValueMapping.ToDomain(chain.Image), [.. chain.Layers.Select(ToDomain)]))],
    });

    /// <inheritdoc cref="DecodeProbe"/>
    public static FillLayout DecodeLayout(string detail) => Read(Layout, detail, P.FillLayout.Parser, ValueMapping.ToDomain);

    /// <inheritdoc cref="DecodeProbe"/>
    public static CompareFindings DecodeCompare(string detail) => Read(Compare, detail, P.CompareFindings.Parser,
        message => new CompareFindings(ToEnum<CompareVerdict>(message.Verdict), message.SizesDiffer));

    private static P.ProbedImage ToMessage(ProbedImage image) =>
        new() { Name = ValueMapping.ToMessage(image.Name), Format = image.Format, VirtualSize = (ulong)image.VirtualSize };

    private static ProbedImage ToDomain(P.ProbedImage image) => new(ValueMapping.ToDomain(image.Name), image.Format, ToLong(image.VirtualSize));

    private static string Write(string name, IMessage message) => name + Convert.ToBase64String(message.ToByteArray());

    private static T Read<TMessage, T>(string name, string detail, MessageParser<TMessage> parser, Func<TMessage, T> map)
        where TMessage : IMessage<TMessage>
    {
        if (!detail.StartsWith(name, StringComparison.Ordinal))
        {
            throw new ContractException($"A finding of kind {name.TrimEnd(':')} was expected, not '{detail[..Math.Min(detail.Length, 20)]}'");
        }

        try
        {
            return map(parser.ParseFrom(Convert.FromBase64String(detail[name.Length..])));
        }
        catch (Exception e) when (e is FormatException or InvalidProtocolBufferException or ArgumentException or OverflowException)
        {
            throw new ContractException($"A finding of kind {name.TrimEnd(':')} cannot be read: {e.Message}", e);
        }
    }
}
