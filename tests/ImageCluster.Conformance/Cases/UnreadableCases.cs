using System.Globalization;

namespace ImageCluster.Conformance.Cases;

/// <summary>qcow2 images of which the storage cannot read a sector of metadata.</summary>
internal static class UnreadableCases
{
    private static readonly (string What, int Sector)[] Places = [("header", 0), ("refcount table", 128), ("refcount block", 256), ("L1 table", 384), ("L2 table", 512), ("snapshot table", 1408)];

    private static readonly string[] Images =
    [
        "img create -q -f qcow2 a.qcow2 1M", "io qcow2 a.qcow2 'write -P 1 0 320k'", "img snapshot -c one a.qcow2",
        .. Places.Select(static place => $"sh -c 'printf \"[inject-error]\\nevent = \\042none\\042\\nerrno = \\0425\\042\\nsector = \\042{Number(place.Sector)}\\042\\n\" > {Number(place.Sector)}.conf'"),
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        .. Places.SelectMany(static place => new[]
        {
            Make("convert", place.What, $"convert -m 1 -f qcow2 -O raw blkdebug:{Number(place.Sector)}.conf:a.qcow2 x"),
            Make("map", place.What, $"map --output=json -f qcow2 blkdebug:{Number(place.Sector)}.conf:a.qcow2"),
            Make("resize", place.What, $"resize -f qcow2 blkdebug:{Number(place.Sector)}.conf:a.qcow2 2M"),
            Make("info", place.What, $"info -f qcow2 blkdebug:{Number(place.Sector)}.conf:a.qcow2") with
            {
                Verdict = place.Sector is 128 or 384 ? Verdict.Better : Verdict.Same,
                Differs = place.Sector is 128 or 384 ? DifferencePart.Said : DifferencePart.None,
                Reason = place.Sector is 128 or 384 ? "what can be told is told: nothing of it stands in the tables, and they are not read" : "",
            },
        }),
        Make("map", "nothing: a filter that does not tell how much space its file takes", "map --output=json blkdebug::a.qcow2"),
    ];

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static ConformanceCase Make(string command, string what, string step) =>
        new() { Command = command, Topic = $"metadata that cannot be read: {what}", Format = "qcow2", Setup = Images, Steps = [step], IgnoresDiskSize = true };
}
