using System.CommandLine;

namespace ImageCluster.Cli.Commands;

/// <summary>The arguments and options of <c>imagecluster migrate</c>, with their help.</summary>
internal sealed class MigrateOptions
{
    public Argument<string[]> Files { get; } = new("FILES")
    {
        Description = "A manifest (YAML); or, with --to, images or directories of images, and last the directory (or the address) for the targets.",
        HelpName = "MANIFEST | SOURCE... TARGET_DIR",
        Arity = ArgumentArity.OneOrMore,
    };

    public Option<bool> Plan { get; } = new("--plan", "-n") { Description = "Show what would happen and write nothing." };

    public Option<string?> To { get; } = new("--to", "-O") { Description = "Format of the targets (qcow2, raw, vmdk, ...): migrate without a manifest.", HelpName = "FORMAT" };

    public Option<string?> From { get; } = new("--from", "-f") { Description = "Format of all sources; each is probed otherwise.", HelpName = "FORMAT" };

    public Option<string[]> CreateOptions { get; } = new("--option", "-o")
    {
        Description = "Create options of the targets, as for qemu-img.",
        HelpName = "NAME=VALUE[,...]",
        Arity = new ArgumentArity(1, 1000),
    };

    public Option<bool> Compress { get; } = new("--compress", "-c") { Description = "Compress the targets." };

    public Option<string[]> Include { get; } = new("--include") { Description = "Pattern for images in source directories, instead of the usual extensions.", HelpName = "GLOB" };

    public Option<string[]> Exclude { get; } = new("--exclude") { Description = "Pattern for what to leave out of source directories.", HelpName = "GLOB" };

    public Option<string?> SourceSecret { get; } = new("--source-secret") { Description = "Name of the secret with the password of encrypted sources.", HelpName = "NAME" };

    public Option<string?> TargetSecret { get; } = new("--target-secret") { Description = "Name of the secret with the password of encrypted targets.", HelpName = "NAME" };

    public Option<string?> Secrets { get; } = new("--secrets")
    {
        Description = "Directory of secrets: a file with a password each. (Or the environment: IMAGECLUSTER_SECRET_NAME.)",
        HelpName = "DIR",
    };

    public Option<string?> Name { get; } = new("--name") { Description = "Pattern for the targets' names [default: {path}/{name}.{format}].", HelpName = "PATTERN" };

    public Option<string?> Backing { get; } = new("--backing") { Description = "Backing chains: 'flatten' (the default) or 'keep'.", HelpName = "HOW" };

    public Option<string?> Existing { get; } = new("--existing") { Description = "Where a target is there already: 'fail' (the default), 'skip' or 'replace'.", HelpName = "HOW" };

    public Option<string?> Verify { get; } = new("--verify") { Description = "Read targets back: 'compare' with the source (the default), 'digest' or 'none'.", HelpName = "HOW" };

    public Option<bool> NoDigest { get; } = new("--no-digest") { Description = "Take no digest of what guests see: less work for the cores, and none in the report." };

    public Option<int?> Images { get; } = new("--images", "-j") { Description = "Images at a time [default: by the cores].", HelpName = "N" };

    public Option<int?> Threads { get; } = new("--threads", "-m") { Description = "Threads of each image [default: by the cores].", HelpName = "N" };

    public Option<string?> Rate { get; } = new("--rate", "-r") { Description = "Limit of what all of it reads from the sources, e.g. 200MiB/s.", HelpName = "RATE" };

    public Option<string[]> AllowRoot { get; } = new("--allow-root") { Description = "Another directory in which backing and extent files may lie.", HelpName = "DIR" };

    public Option<bool> ProbeBacking { get; } = new("--probe-backing")
    {
        Description = "Probe backing files whose format their overlay does not state. Only for images that you trust: a guest can write whatever header it likes.",
    };

    public Option<bool> Restart { get; } = new("--restart") { Description = "Throw away what an earlier run left unfinished and start over. Finished targets stay." };

    public Option<string?> State { get; } = new("--state")
    {
        Description = "Directory for the journal and the report [default: the target directory; for targets on servers and devices the manifest's, or the current one].",
        HelpName = "DIR",
    };

    public Option<string?> Output { get; } = new("--output") { Description = "'auto' (the default), 'plain', 'json-lines' while it runs, or 'json' at the end.", HelpName = "FORM" };

    public Option<string?> Report { get; } = new("--report") { Description = "Write the report (JSON) to this file too.", HelpName = "FILE" };

    public Option<bool> PrintManifest { get; } = new("--print-manifest") { Description = "Print the manifest that says the same as this command line, and do nothing." };

    public IEnumerable<Option> All =>
    [
        To, From, CreateOptions, Compress, Include, Exclude, Name, Backing, Existing, Plan, Verify, NoDigest, Images, Threads, Rate, AllowRoot,
        SourceSecret, TargetSecret, Secrets,
        ProbeBacking, Restart, State, Output, Report, PrintManifest,
    ];

    /// <summary>What a manifest says by itself.</summary>
    public IEnumerable<Option> OnlyWithoutManifest => [From, CreateOptions, Compress, Include, Exclude, Name, Backing, Existing, SourceSecret, TargetSecret, PrintManifest];
}
