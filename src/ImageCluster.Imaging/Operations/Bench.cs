using ImageCluster.Imaging.Chains;
using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Operations;

/// <summary>Sends a sequence of requests to a disk, several at once. Does not own the disk.</summary>
public sealed class Bench(LayeredDisk disk, BenchPlan plan) : IDisposable
{
    private const int MaxThreads = 64;
    private const int Stripes = 64;

    private readonly Lock _gate = new();
    private readonly ReaderWriterLockSlim _drain = new();

    // Requests that write into one cluster go one after the other: each would fill up the rest of it.
    private readonly Lock[] _clusters = [.. Enumerable.Range(0, Stripes).Select(static _ => new Lock())];
    private int _sent;
    private long _offset = plan.Offset;
    private Exception? _failure;

    /// <exception cref="ImageException">A request failed; no more are sent.</exception>
    public void Run()
    {
        Thread[] threads = new Thread[Math.Min(Math.Min(plan.Depth, plan.Count), MaxThreads)];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(Work) { IsBackground = true, Name = $"bench-{i + 1}" };
            threads[i].Start();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        if (_failure is not null)
        {
            throw _failure is ImageException e ? e.Saying(e.Message) : _failure;
        }
    }

    public void Dispose() => _drain.Dispose();

    private void Work()
    {
        byte[] buffer = new byte[plan.Length];
        buffer.AsSpan().Fill(plan.Pattern);
        try
        {
            while (TryTake(out long offset, out bool flushes))
            {
                _drain.EnterReadLock();
                try
                {
                    Request(offset, buffer);
                }
                finally
                {
                    _drain.ExitReadLock();
                }

                if (flushes)
                {
                    Flush();
                }
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, e, null);
        }
    }

    private void Request(long offset, byte[] buffer)
    {
        if (offset > disk.VirtualSize - buffer.Length)
        {
            throw new ImageException(ImageErrorKind.Io, disk.Top.FileName, "Input/output error");
        }

        if (plan.Writes)
        {
            Write(offset, buffer);
        }
        else
        {
            disk.Read(offset, buffer);
        }
    }

    private void Write(long offset, byte[] buffer)
    {
        long unit = Math.Max(disk.Top.Granularity, disk.Top is IImageStatus status ? status.ClusterSize : 0);
        if (unit <= 1)
        {
            disk.Write(offset, buffer);
            return;
        }

        long first = offset / unit;
        long last = (offset + buffer.Length - 1) / unit;
        int held = 0;
        try
        {
            for (int stripe = 0; stripe < Stripes; stripe++)
            {
                if (IsTouched(stripe, first, last))
                {
                    _clusters[stripe].Enter();
                }

                held++;
            }

            disk.Write(offset, buffer);
        }
        finally
        {
            for (int stripe = 0; stripe < held; stripe++)
            {
                if (IsTouched(stripe, first, last))
                {
                    _clusters[stripe].Exit();
                }
            }
        }
    }

    // One of the clusters has this lock.
    private static bool IsTouched(int stripe, long first, long last) =>
        (stripe - (first % Stripes) + Stripes) % Stripes <= last - first;

    private void Flush()
    {
        if (!plan.Drains)
        {
            disk.Flush();
            return;
        }

        _drain.EnterWriteLock();
        try
        {
            disk.Flush();
        }
        finally
        {
            _drain.ExitWriteLock();
        }
    }

    private bool TryTake(out long offset, out bool flushes)
    {
        lock (_gate)
        {
            offset = _offset;
            flushes = false;
            if (_sent == plan.Count || _failure is not null)
            {
                return false;
            }

            _sent++;
            _offset += plan.Step;
            if (disk.VirtualSize > 0)
            {
                _offset %= disk.VirtualSize;
            }

            flushes = plan.FlushInterval > 0 && (plan.Count - _sent) % plan.FlushInterval == 0;
            return true;
        }
    }
}
