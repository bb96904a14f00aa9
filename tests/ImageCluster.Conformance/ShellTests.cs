using System.Text;
using ImageCluster.Testing.Qemu;
using ImageCluster.Testing.Storage;

namespace ImageCluster.Conformance;

/// <summary>What a shell can do to a program: names that are bytes, standard files that are closed or full. Scripts are Latin-1: each sign is a byte.</summary>
public sealed class ShellTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("create, info, map", "qemu-img create -f qcow2 '\xff\xfe' 1M; qemu-img create -q -f qcow2 '\xef\xbf\xbd' 1M; qemu-img info --output=json '\xff\xfe' | grep filename; qemu-img map '\xff\xfe'; qemu-img check '\xff\xfe'; qemu-img info 'nix\xe4'; qemu-img create -f raw 'd\xe4/x' 1M")]
    [InlineData("a character of two parts", "qemu-img create -f qcow2 'Gr\xf6\xdf" + "e\xf0\x9f\x98\x80' 1M; qemu-img info --output=json 'Gr\xf6\xdf" + "e\xf0\x9f\x98\x80' | grep filename; qemu-img info 'Gr\xf6\xdf" + "e\xf0\x9f\x98\x80' | head -1")]
    [InlineData("targets", "qemu-img create -q -f raw a 1M; qemu-img convert -O raw a '\xe4\xe4'; qemu-img convert -O qcow2 a '\xe4\xe5'; qemu-img dd if='\xe4\xe4' of='\xe4\xe6' bs=512k count=1; qemu-img resize -f raw '\xe4\xe6' 2M; ln -s '\xe4\xe4' 'l\xe4'; qemu-img create -q -f raw 'l\xe4' 3M; ls -lL | awk '{print $5}'; qemu-img compare '\xe4\xe4' 'l\xe4'")]
    [InlineData("names beside others", "mkdir 'd\xe4'; qemu-img create -q -f raw 'd\xe4/x' 1M; qemu-img create -q -f qcow2 -b x -F raw 'd\xe4/y' 1M; qemu-img info 'd\xe4/y' | grep -a backing; qemu-img commit 'd\xe4/y'; qemu-img create -q -f qcow2 -o data_file='ext\xe4' e 1M; qemu-img info e | grep -a 'data file:'; qemu-img convert -n -O qcow2 'd\xe4/y' e")]
    [InlineData("backing names in headers", "qemu-img create -q -f raw 'b\xe4' 1M; qemu-img create -q -f raw 'c\xe4' 1M; for f in qcow2 qcow qed vmdk; do F=raw; qemu-img create -q -f qcow2 'q\xe4' 1M; if [ $f = vmdk ]; then qemu-img create -q -f vmdk 'v\xe4' 1M; qemu-img create -q -f vmdk -b 'v\xe4' -F vmdk o.$f; else qemu-img create -q -f $f -b 'b\xe4' -F raw o.$f; fi; qemu-img info o.$f | grep -a backing; qemu-img map --output=json o.$f; done; qemu-img rebase -u -b 'c\xe4' -F raw o.qcow2; qemu-img info o.qcow2 | grep -a backing; qemu-img amend -o compat=0.10 o.qcow2; qemu-img amend -o compat=1.1,lazy_refcounts=on o.qcow2; qemu-img info --backing-chain o.qcow2 | grep -a image:; qemu-img commit o.qcow2")]
    [InlineData("extents", "qemu-img create -q -f vmdk -o subformat=monolithicFlat 'v\xe4.vmdk' 1M; grep -a flat 'v\xe4.vmdk'; qemu-img info 'v\xe4.vmdk' | grep -a filename; qemu-img convert -O raw 'v\xe4.vmdk' x")]
    [InlineData("snapshots and bitmaps", "qemu-img create -q -f qcow2 a 1M; qemu-img snapshot -c 'sn\xe4p' a; qemu-img snapshot -l a | tail -1 | cut -c1-20; qemu-img convert -l 'snapshot.name=sn\xe4p' -O raw a x; qemu-img snapshot -a 'sn\xe4p' a; qemu-img snapshot -d 'sn\xe4p' a; qemu-img bitmap --add a 'b\xe4'; qemu-img info a | grep -a name:; qemu-img bitmap --remove a 'b\xe4'; qemu-img info a | grep -a name:")]
    [InlineData("a secret", "qemu-img create -q -f luks --object 'secret,id=s,data=\xe4\xf6' -o key-secret=s,iter-time=10 l 1M; printf '\xe4\xf6' > key; qemu-img convert --object secret,id=s,file=key --image-opts driver=luks,key-secret=s,file.filename=l -O raw x")]
    [InlineData("closed", "qemu-img create -q -f qcow2 a 1M; qemu-img info a >&-; echo $?; qemu-img info nix 2>&-; echo $?; qemu-img create -q -f raw b 1M 0<&- 1>&- 2>&-; echo $?; od -c b; qemu-img convert -p -f raw -O qcow2 b c >&- 2>&-; echo $?; qemu-img compare -f raw b c; qemu-img compare a c 0<&- 2>&-")]
    [InlineData("time zones", "qemu-img create -q -f qcow2 a 1M; qemu-img snapshot -c s a; for d in 0 0x63 0xff; do qemu-io -f raw -c \"write -P $d 327696 4\" a > /dev/null; for z in America/New_York Asia/Kathmandu Africa/Monrovia XYZ-3 EST5EDT UTC0 ''; do TZ=$z qemu-img snapshot -l a; done; done")]
    [InlineData("a directory that is gone", "mkdir d; cd d; rmdir ../d; qemu-img create -q -f qcow2 ../a 1M; qemu-img info ../a; qemu-img info x; qemu-img create -f qcow2 x 1M; qemu-img info $OLDPWD/a | head -1 | sed s,.*/,,; cd ..")]
    [InlineData("columns", "qemu-img create -q -f qcow2 a 1M; qemu-img snapshot -c 'sch\xc3\xb6n' a; qemu-img snapshot -c 'l\xe4nger' a; qemu-img snapshot -l a | cut -c1-40; qemu-img info a | grep -a n | cut -c1-40")]
    [InlineData("a reader that goes", "qemu-img create -q -f qcow2 a 64M; qemu-img map --output=json a | head -c 1; qemu-img --help | head -1 | cut -c1-8; qemu-img info nix 2>/dev/full; echo $?")]
    public void IsAsWithQemuImg(string what, string script)
    {
        QemuTools.Require();
        string theirs = Run(Programs.QemuImg, "t", script);
        string ours = Run(Programs.OwnBinary, "o", script);
        Assert.True(theirs == ours, $"{what}:\n{LineDifference.Of(theirs, ours)}");
    }

    [SkippableFact]
    public void OutputThatCannotBeWrittenIsTold()
    {
        Skip.IfNot(File.Exists("/dev/full"), "there is no /dev/full");
        Assert.StartsWith("qemu-img: Could not write to standard output: No space left on device\n0\n", Run(Programs.OwnBinary, "o", "qemu-img create -q -f raw a 1M; qemu-img info a 2>&1 >/dev/full; echo $?"), StringComparison.Ordinal);
    }

    // All that was said, and the names of what is there in the end. Removed by the shell: .NET cannot say the names.
    private string Run(string program, string directory, string script)
    {
        string bin = Directory.CreateDirectory(_directory[directory + "-bin"]).FullName;
        string work = Directory.CreateDirectory(_directory[directory]).FullName;
        File.CreateSymbolicLink(Path.Combine(bin, "qemu-img"), program);
        File.WriteAllBytes(Path.Combine(bin, "script"), Encoding.Latin1.GetBytes($"exec 2>&1\n{script}\nls | od -An -c\nrm -rf ../{directory}\n"));
        ToolResult result = Programs.Execute(work, "sh", "-c", $"PATH={bin}:$PATH sh ../{directory}-bin/script | od -An -v -t x1");
        Assert.Equal(0, result.ExitCode);
        return Encoding.Latin1.GetString(Convert.FromHexString(string.Concat(result.Output.Where(char.IsAsciiHexDigit))));
    }
}
