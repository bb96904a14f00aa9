using ImageCluster.Imaging.Formats;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Work.Converting;

/// <summary>What a target will be like, before there is one.</summary>
internal static class TargetSketch
{
    /// <param name="spec">The job.</param>
    /// <param name="virtualSize">Of the source's disk, bytes.</param>
    /// <param name="finalPath">The target's path.</param>
    /// <param name="files">Where files come from; none is written.</param>
    /// <param name="backingPath">The path of what the target stands on; null for none.</param>
    /// <exception cref="Imaging.ImageException">Such a target cannot be made.</exception>
    public static JobGeometry GeometryOf(ConvertSpec spec, long virtualSize, string finalPath, IFileLocator files, string? backingPath)
    {
        Dictionary<string, string> options = ConvertTarget.OptionsOf(spec, Path.GetDirectoryName(finalPath)!, backingPath);
        // It changes how much is written beforehand, not how the disk is cut.
        options.Remove("preallocation");
        // Nor does the password, and how long it takes to try one.
        if (spec.TargetFormat == "luks")
        {
            options["iter-time"] = "1";
        }
        else if (options.GetValueOrDefault("encrypt.format") == "luks")
        {
            options["encrypt.iter-time"] = "1";
        }

        ImageFormat format = ConvertTarget.FormatOf(spec, finalPath);
        ConvertTarget.RequireSize(spec, virtualSize, finalPath);
        using IFillTarget target = format.CreateFill(new CreateRequest
        {
            FileName = finalPath,
            Locator = new SketchLocator(files),
            VirtualSize = virtualSize,
            Options = options,
            Compress = spec.Compress,
            Secret = static _ => [0],
        });
        return ConvertTarget.GeometryOf(target);
    }
}
