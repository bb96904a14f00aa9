using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Nbd;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Tests.Storage.Nbd;

/// <summary>Opens exports for tests: impatient where a server does not answer.</summary>
internal static class NbdTestFile
{
    public static readonly NbdSettings Quick = NbdSettings.Default with { RetryDelay = TimeSpan.FromMilliseconds(1) };

    public static IBlockFile Open(string url, bool write = false, CacheMode cache = CacheMode.Writeback, NbdSettings? settings = null) =>
        Locator(settings).Open(url, new OpenMode { Write = write, Cache = cache });

    public static ProtocolLocator Locator(NbdSettings? settings = null) =>
        ProtocolLocator.Standard(new ProtocolSettings { Nbd = settings ?? Quick });

    /// <summary>Runs on several threads at once, and fails where one of them does.</summary>
    public static void InParallel(int threads, Action<int> work)
    {
        Exception? failure = null;
        Thread[] all = [.. Enumerable.Range(0, threads).Select(i => new Thread(() =>
        {
            try
            {
                work(i);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
            }
        }))];
        Array.ForEach(all, static thread => thread.Start());
        Array.ForEach(all, static thread => thread.Join());
        Assert.True(failure is null, failure?.ToString());
    }
}
