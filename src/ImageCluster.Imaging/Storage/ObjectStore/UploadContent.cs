using System.Net;

namespace ImageCluster.Imaging.Storage.ObjectStore;

/// <summary>An <see cref="UploadBody"/> as .NET's HTTP client sends it: in pieces, by the calling thread.</summary>
internal sealed class UploadContent(UploadBody body) : HttpContent
{
    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        body.WriteTo(bytes =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            stream.Write(bytes);
        });

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        SerializeToStream(stream, context, CancellationToken.None);
        return Task.CompletedTask;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = body.Length;
        return true;
    }
}
