namespace ImageCluster.Imaging.Storage.Nbd;

/// <summary>A read that is under way into a buffer that is left alone until it has ended.</summary>
internal interface IPendingRead
{
    /// <summary>Returns when all bytes are there.</summary>
    /// <exception cref="ImageException">It failed.</exception>
    void Wait();
}
