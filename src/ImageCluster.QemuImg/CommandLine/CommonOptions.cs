namespace ImageCluster.QemuImg.CommandLine;

/// <summary>Options that mean the same in several commands.</summary>
internal static class CommonOptions
{
    private static readonly string[] CacheModes = ["none", "writeback", "writethrough", "directsync", "unsafe"];

    public static readonly OptionSpec Help = new('h', "help", null, "show help and exit");
    public static readonly OptionSpec Object = new('\0', "object", "OBJECTDEF", "define an object, such as secret,id=ID,file=PATH for a password");
    public static readonly OptionSpec ImageOptions = new('\0', "image-opts", null, "file names are option strings (driver=qcow2,file.filename=NAME)");
    public static readonly OptionSpec ForceShare = new('U', "force-share", null, "open while another process writes to the image");
    public static readonly OptionSpec Quiet = new('q', null, null, "print nothing but errors");
    public static readonly OptionSpec Progress = new('p', null, null, "show progress");
    public static readonly OptionSpec Output = new('\0', "output", "OFMT", "how to print: human or json") { Values = ["human", "json"] };
    public static readonly OptionSpec LongFormat = new('f', "format", "FMT", "the image's format, instead of looking at its bytes") { IsFormat = true };
    public static readonly OptionSpec Format = new('f', null, "FMT", "the image's format, instead of looking at its bytes") { IsFormat = true };
    public static readonly OptionSpec Cache = new('t', null, "CACHE", "cache mode for the image that is written") { Values = CacheModes };
    public static readonly OptionSpec SourceCache = new('T', null, "SRC_CACHE", "cache mode for the images that are read") { Values = CacheModes };
    public static readonly OptionSpec OutputFormat = new('O', null, "OUTPUT_FMT", "the format of the image that is made") { IsFormat = true };
    public static readonly OptionSpec BackingFile = new('b', null, "BACKING_FILE", "the backing file") { IsFile = true };
    public static readonly OptionSpec BackingFormat = new('F', null, "BACKING_FMT", "the backing file's format") { IsFormat = true };
    public static readonly OptionSpec CreateOptions = new('o', null, "OPTIONS", "options of the format, name=value,... (help lists them)");
}
