using System.Globalization;

namespace ImageCluster.Benchmarks;

/// <summary>Watches the largest resident set of another process (VmHWM of proc(5)), every few milliseconds until it ends.</summary>
internal sealed class PeakMemory : IDisposable
{
    private readonly string _status;
    private readonly ManualResetEventSlim _end = new();
    private readonly Thread _watcher;
    private long _bytes;

    public PeakMemory(int pid)
    {
        _status = $"/proc/{pid}/status";
        _watcher = new Thread(Watch) { IsBackground = true };
        _watcher.Start();
    }

    public long Bytes => Interlocked.Read(ref _bytes);

    public void Dispose()
    {
        _end.Set();
        _watcher.Join();
        _end.Dispose();
    }

    private void Watch()
    {
        do
        {
            try
            {
                string? line = File.ReadLines(_status).FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
                string? kilobytes = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).FirstOrDefault();
                if (kilobytes is not null)
                {
                    Interlocked.Exchange(ref _bytes, long.Parse(kilobytes, CultureInfo.InvariantCulture) << 10);
                }
            }
            catch (IOException)
            {
                return;
            }
        }
        while (!_end.Wait(3));
    }
}
