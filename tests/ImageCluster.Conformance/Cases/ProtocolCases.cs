namespace ImageCluster.Conformance.Cases;

/// <summary>Drivers of protocols where a format is asked for.</summary>
internal static class ProtocolCases
{
    private static readonly string[] Images = ["img create -q -f raw a.raw 1M", "img create -q -f qcow2 a.qcow2 1M"];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Make("create", "-f nbd, host_device", "create -F qcow2 -b a.raw -f nbd x 1M", "create -b a.qcow2 -F qcow2 -f nbd x 1M", "create -f nbd x 1M", "create -f nbd nbd://localhost:1/x 1M", "create -f host_device x 1M", "create -f host_device /dev/null 1M",
            "create -f host_device a.raw 1M", "create -f host_device -o foo=1 x 1M"),
        Make("create", "-o help of protocols", "create -f nbd -o help x", "create -f file -o help", "create -f host_device -o help", "create -f host_device -o help x", "create -f file -o help x", "create -f nbd -o help"),
        Make("convert", "-O nbd, host_device", "convert -O nbd a.raw z", "convert -O host_device a.raw z", "convert -O file -o help", "convert -O nbd -o help"),
        Make("amend", "-f file", "amend -f file -o help", "amend -f file -o help a.raw", "amend -f file -o size=1M a.raw", "amend -f nbd -o help"),
        Make("amend", "-o size beyond all limits", "amend -o size=9E a.qcow2", "amend -o size=18446744073709551615 a.qcow2", "amend -o size=9223372036854775807 a.qcow2", "amend -o size=9223372035781034496 a.qcow2", "amend -o size=16E a.qcow2"),
        Make("measure", "-O file, host_device, nbd", "measure -O file --size 1M", "measure -O file a.raw", "measure -O host_device a.raw", "measure -O nbd --size 1M", "measure -O file -o foo=1 --size 1M"),
        Make("info", "offset and size beyond 2^63", "info --image-opts driver=raw,file.filename=a.raw,size=8E", "info --image-opts driver=raw,file.filename=a.raw,offset=8E", "info --image-opts driver=raw,file.filename=a.raw,size=16E"),
    ];

    private static ConformanceCase Make(string command, string topic, params string[] steps) =>
        new() { Command = command, Topic = topic, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
