using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>
/// Requests for whole blocks of one export: cut into parts, several under way, questions asked again where a connection broke. What the server
/// refuses is an <see cref="ImageException"/>.
/// </summary>
internal sealed class NbdRequests(string name, NbdSession session, NbdSettings settings)
{
    // Long reads and writes are cut into parts of this length, several of them under way.
    private const int PartLength = 512 << 10;

    private readonly string _name = name;

    /// <summary>Bytes of one part: whole blocks, no more than the server takes.</summary>
    public int Part => Math.Max(Export.MinimumBlock, Math.Min(PartLength, Export.MaximumPayload) / Export.MinimumBlock * Export.MinimumBlock);

    /// <summary>Bytes that are under way at a time.</summary>
    public int Room => Part * Math.Max(1, settings.Depth);

    private NbdExport Export => session.Export;

    /// <summary>Reads whole blocks, long reads in several requests at once; what a broken connection took with it again.</summary>
    public void Read(long offset, Memory<byte> target)
    {
        if (target.Length <= Part)
        {
            Perform(NbdCommand.Read, NbdCommandFlags.None, offset, (uint)target.Length, target);
            return;
        }

        var pipeline = new NbdPipeline(session, settings.Depth);
        for (int done = 0; done < target.Length;)
        {
            Memory<byte> part = target.Slice(done, Math.Min(Part, target.Length - done));
            pipeline.Add(new NbdRequest(NbdCommand.Read, NbdCommandFlags.None, offset + done, (uint)part.Length) { Target = part }, []);
            done += part.Length;
        }

        pipeline.Finish();
        ThrowIfRefused(pipeline);
        foreach ((NbdRequest request, NbdConnectionException reason) in pipeline.Broken)
        {
            if (!reason.MayRetry)
            {
                throw Lost(request, reason);
            }

            Perform(NbdCommand.Read, NbdCommandFlags.None, request.Offset, request.Length, request.Target);
        }
    }

    /// <summary>Writes whole blocks, long writes in several requests at once.</summary>
    public void Write(long offset, ReadOnlySpan<byte> data, NbdCommandFlags flags)
    {
        session.MarkWritten();
        var pipeline = new NbdPipeline(session, settings.Depth);
        while (data.Length > 0)
        {
            ReadOnlySpan<byte> part = data[..Math.Min(Part, data.Length)];
            pipeline.Add(new NbdRequest(NbdCommand.Write, flags, offset, (uint)part.Length), part);
            offset += part.Length;
            data = data[part.Length..];
        }

        pipeline.Finish();
        ThrowIfRefused(pipeline);
        ThrowIfBroken(pipeline);
    }

    /// <summary>
    /// Sends a command without a payload over a long range. The first part alone, so that a server that cannot says so before it did anything.
    /// Returns the request that was refused; null where none was.
    /// </summary>
    public NbdRequest? SendRange(NbdCommand command, NbdCommandFlags flags, long offset, long length, uint most)
    {
        session.MarkWritten();
        var pipeline = new NbdPipeline(session, settings.Depth);
        for (bool isFirst = true; length > 0 && pipeline.Refused is null && pipeline.Broken.Count == 0; isFirst = false)
        {
            var part = (uint)Math.Min(length, most);
            pipeline.Add(new NbdRequest(command, flags, offset, part), []);
            if (isFirst)
            {
                pipeline.Finish();
            }

            offset += part;
            length -= part;
        }

        pipeline.Finish();
        ThrowIfBroken(pipeline);
        return pipeline.Refused;
    }

    /// <summary>What the server says of a range from its start on.</summary>
    public List<NbdExtent> AskForStatus(long offset, uint length) =>
        Perform(NbdCommand.BlockStatus, NbdCommandFlags.None, offset, length, default).Extents!;

    /// <summary>Returns when what was written is stored.</summary>
    public void Flush() => Perform(NbdCommand.Flush, NbdCommandFlags.None, 0, 0, default);

    /// <summary>Starts a read of whole blocks, to be waited for.</summary>
    public IPendingRead StartRead(long offset, Memory<byte> target)
    {
        var request = new NbdRequest(NbdCommand.Read, NbdCommandFlags.None, offset, (uint)target.Length) { Target = target };
        try
        {
            NbdConnection connection = session.Acquire();
            connection.Submit(request, []);
            return new PendingRead(this, connection, request);
        }
        catch (NbdConnectionException e)
        {
            throw Lost(request, e);
        }
    }

    // One request, and where it is a question that a broken connection took with it, again.
    private NbdRequest Perform(NbdCommand command, NbdCommandFlags flags, long offset, uint length, Memory<byte> target)
    {
        for (int retry = 0; ; retry++)
        {
            var request = new NbdRequest(command, flags, offset, length) { Target = target };
            try
            {
                NbdConnection connection = session.Acquire();
                connection.Submit(request, []);
                connection.Wait(request);
                return request.Error == 0 ? request : throw NbdErrors.Refused(request, _name);
            }
            catch (NbdConnectionException e)
            {
                bool isQuestion = command is NbdCommand.Read or NbdCommand.BlockStatus;
                if (!isQuestion || !e.MayRetry || !session.PauseBeforeRetry(retry))
                {
                    throw Lost(request, e);
                }
            }
        }
    }

    private void ThrowIfRefused(NbdPipeline pipeline)
    {
        if (pipeline.Refused is not null)
        {
            throw NbdErrors.Refused(pipeline.Refused, _name);
        }
    }

    private void ThrowIfBroken(NbdPipeline pipeline)
    {
        if (pipeline.Broken.Count > 0)
        {
            throw Lost(pipeline.Broken[0].Request, pipeline.Broken[0].Reason);
        }
    }

    private ImageException Lost(NbdRequest request, NbdConnectionException reason) =>
        new(ImageErrorKind.Io, _name, $"{request.Describe()}: {reason.Message}", reason) { Errno = Errno.IO };

    private sealed class PendingRead(NbdRequests requests, NbdConnection connection, NbdRequest request) : IPendingRead
    {
        public void Wait()
        {
            try
            {
                connection.Wait(request);
            }
            catch (NbdConnectionException e)
            {
                throw requests.Lost(request, e);
            }

            if (request.Error != 0)
            {
                throw NbdErrors.Refused(request, requests._name);
            }
        }
    }
}
