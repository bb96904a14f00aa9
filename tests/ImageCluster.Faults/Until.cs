using ImageCluster.Api;

namespace ImageCluster.Faults;

internal static class Until
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    /// <summary>Looks again and again. A cluster that has no answer yet is asked again.</summary>
    public static async Task ItIsSo(string what, TimeSpan patience, Func<Task<bool>> look)
    {
        DateTime end = DateTime.UtcNow + patience;
        string last = "";
        while (true)
        {
            try
            {
                if (await look())
                {
                    return;
                }
            }
            catch (OperationRefusedException e) when (e.Reason == RefusalReason.Unavailable)
            {
                last = $" ({e.Message})";
            }

            if (DateTime.UtcNow > end)
            {
                throw new FaultException($"It did not happen in {patience.TotalSeconds:0} s: {what}{last}");
            }

            await Task.Delay(Look);
        }
    }
}
