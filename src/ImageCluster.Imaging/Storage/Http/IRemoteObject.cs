namespace ImageCluster.Imaging.Storage.Http;

/// <summary>
/// Something on a server that can be asked for by GET and HEAD: a plain address (<see cref="HttpAddress"/>) or an object of a store, which needs signed
/// requests. One call is one attempt.
/// </summary>
internal interface IRemoteObject
{
    /// <summary>What messages call it.</summary>
    string Name { get; }

    /// <param name="method">GET or HEAD.</param>
    /// <param name="shape">Adds headers.</param>
    /// <param name="bytes">What the answer carries, at the most expected.</param>
    /// <param name="cancel">Ends the request.</param>
    HttpAnswer Send(HttpMethod method, Action<HttpRequestMessage>? shape, long bytes, CancellationToken cancel);

    /// <summary>What to throw for an answer that is a refusal.</summary>
    Exception Refusal(HttpAnswer answer);
}
