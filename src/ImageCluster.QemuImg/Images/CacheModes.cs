using ImageCluster.Imaging.Storage;

namespace ImageCluster.QemuImg.Images;

/// <summary>The names of cache modes on the command line.</summary>
internal static class CacheModes
{
    public static CacheMode? Parse(string name) => name switch
    {
        "none" or "off" => CacheMode.None,
        "writeback" => CacheMode.Writeback,
        "writethrough" => CacheMode.Writethrough,
        "directsync" => CacheMode.DirectSync,
        "unsafe" => CacheMode.Unsafe,
        _ => null,
    };
}
