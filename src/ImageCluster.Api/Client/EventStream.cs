using System.Runtime.CompilerServices;
using System.Text;

namespace ImageCluster.Api.Client;

/// <summary>
/// The data of server-sent events (WHATWG HTML, section 9.2). Names and ids of events are not looked at; comments, which keep a connection
/// alive, are passed over.
/// </summary>
internal static class EventStream
{
    public static async IAsyncEnumerable<string> ReadAsync(Stream stream, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var data = new StringBuilder();
        while (true)
        {
            string? line;
            try
            {
                line = await reader.ReadLineAsync(cancel).ConfigureAwait(false);
            }
            catch (IOException)
            {
                // The node went away. Whoever watches asks another time.
                line = null;
            }

            if (line is null)
            {
                yield break;
            }

            if (line.Length == 0 && data.Length > 0)
            {
                yield return data.ToString();
                data.Clear();
            }
            else if (line.StartsWith("data:", StringComparison.Ordinal))
            {
                data.Append(data.Length > 0 ? "\n" : "").Append(line.AsSpan(line.StartsWith("data: ", StringComparison.Ordinal) ? 6 : 5));
            }
        }
    }
}
