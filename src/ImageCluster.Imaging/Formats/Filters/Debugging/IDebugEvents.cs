namespace ImageCluster.Imaging.Formats.Filters.Debugging;

/// <summary>Is told of what happens to images above it; see <see cref="BlkdebugRules"/>.</summary>
internal interface IDebugEvents
{
    /// <param name="name">An event of QAPI's BlkdebugEvent, e.g. <c>read_aio</c>.</param>
    void Raise(string name);
}
