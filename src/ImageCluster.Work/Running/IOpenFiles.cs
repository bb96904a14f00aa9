namespace ImageCluster.Work.Running;

/// <summary>Files that stay open from one shard to the next.</summary>
public interface IOpenFiles : IDisposable
{
    /// <summary>Makes durable what was written.</summary>
    void Flush();
}
