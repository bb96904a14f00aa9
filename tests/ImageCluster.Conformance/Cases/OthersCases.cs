namespace ImageCluster.Conformance.Cases;

/// <summary>
/// The calls that other people's programs make of qemu-img, as they make them: the options, their order, their spellings. What they read of the
/// answers (JSON, lines, exit codes) is the same to the letter, so that they run with ours in qemu-img's place.
/// </summary>
internal static class OthersCases
{
    private static readonly string[] Images =
    [
        "img create -q -f raw disk.raw 3M",
        "io raw disk.raw 'write -P 1 0 700k' 'write -P 2 2M 128k'",
        "img convert -f raw -O qcow2 disk.raw base.qcow2",
        "img create -q -f qcow2 -o compat=1.1 -b base.qcow2 -F qcow2 top.qcow2",
        "io qcow2 top.qcow2 'write -P 3 1M 256k' 'write -z 2M 64k'",
        "img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw disk.vmdk",
        "img convert -f raw -O qcow2 -o compat=0.10 disk.raw old.qcow2",
        "cp base.qcow2 marks.qcow2",
        "img bitmap --add marks.qcow2 one",
        "io qcow2 marks.qcow2 'write -P 5 64k 64k'",
        "sh -c \"printf abc > key\"",
    ];

    public static IReadOnlyList<ConformanceCase> List { get; } =
    [
        Calls("OpenStack Nova", "info base.qcow2 --force-share --output=json -f qcow2", "info disk.raw --force-share --output=json", "create -f raw local.raw 3M", "create -f qcow2 -o backing_file=base.qcow2,backing_fmt=qcow2,size=4194304 eph.qcow2",
            "convert -t none -O raw -f qcow2 top.qcow2 flat.raw", "convert -t none -O qcow2 -f qcow2 top.qcow2 small.qcow2 -c", "resize base.qcow2 5368709120", "resize -f raw disk.raw 4M", "rebase -b '' top.qcow2", "rebase -b base.qcow2 -F qcow2 top.qcow2", "commit -f qcow2 eph.qcow2") with
        {
            Images = ["eph.qcow2", "flat.raw:raw", "small.qcow2"],
        },
        Calls("OpenStack Glance and Cinder", "info -f raw --output=json disk.raw", "info -f vmdk --output=json disk.vmdk", "convert -f raw -O qcow2 disk.raw imported.qcow2", "convert -f vmdk -O raw disk.vmdk imported.raw", "convert -O raw -t none -f qcow2 base.qcow2 volume", "convert -O qcow2 -t none -f raw -c volume up.qcow2",
            "convert -O raw -t none -W -m 8 -f qcow2 base.qcow2 volume2", "create -f qcow2 -o preallocation=metadata vol.qcow2 2M", "rebase -u -b base.qcow2 top.qcow2 -F qcow2", "resize volume 6M", "measure -O qcow2 --output=json base.qcow2", "convert -f qcow2 -O raw -o preallocation=falloc base.qcow2 full.raw") with
        {
            Images = ["imported.qcow2", "imported.raw:raw", "up.qcow2"],
        },
        Calls("oVirt's VDSM", "info --output json -U -f qcow2 base.qcow2", "info --output json -f qcow2 --backing-chain top.qcow2", "create -f qcow2 -o compat=1.1 new.qcow2 3145728", "create -f qcow2 -o compat=1.1 -u -b base.qcow2 -F qcow2 leaf.qcow2 3145728", "check --output json -f qcow2 top.qcow2",
            "convert -p -t none -T none -f raw -O qcow2 -o compat=1.1 disk.raw copy.qcow2", "convert -p -t none -T none -f qcow2 -O raw -W top.qcow2 copy.raw", "convert -p -t none -T none -f qcow2 -O qcow2 -o compat=1.1 -n -W --bitmaps marks.qcow2 new.qcow2", "commit -p -t none -b base.qcow2 -d -f qcow2 top.qcow2",
            "map --output json -f qcow2 top.qcow2", "amend -f qcow2 -o compat=1.1 old.qcow2", "measure --output json -f qcow2 -O qcow2 base.qcow2", "bitmap --add --enable marks.qcow2 two", "bitmap --add --disable -g 65536 marks.qcow2 three", "bitmap --merge one -F qcow2 -b marks.qcow2 leaf.qcow2 one",
            "bitmap --remove marks.qcow2 two", "rebase -t none -T none -f qcow2 -u -b base.qcow2 -F qcow2 leaf.qcow2", "compare -p -U -f raw -F qcow2 disk.raw old.qcow2", "resize -f qcow2 new.qcow2 4194304") with
        {
            Images = ["base.qcow2", "copy.qcow2", "copy.raw:raw", "new.qcow2"],
            SameLayout = false,
        },
        Calls("Proxmox VE", "info --output=json base.qcow2", "info -f qcow2 --output=json top.qcow2", "create -o preallocation=metadata -f qcow2 vm.qcow2 4096K", "create -o preallocation=off -f raw vm.raw 4096K", "create -F qcow2 -b ./base.qcow2 -f qcow2 clone.qcow2", "snapshot -c before vm.qcow2", "snapshot -l vm.qcow2",
            "snapshot -a before vm.qcow2", "snapshot -d before vm.qcow2", "resize -f qcow2 --preallocation=metadata vm.qcow2 8388608", "convert -p -n -f raw -O raw disk.raw vm.raw", "convert -p -f qcow2 -O qcow2 -o preallocation=metadata base.qcow2 moved.qcow2", "convert -p -t none -T none -f raw -O qcow2 disk.raw in.qcow2",
            "create -f vmdk vm.vmdk 4096K", "convert -p -l snapshot.name=nix -f qcow2 -O raw base.qcow2 s.raw", "rebase -u -F qcow2 -b base.qcow2 clone.qcow2") with
        {
            Images = ["clone.qcow2", "in.qcow2", "vm.raw:raw"],
        },
        Calls("Proxmox VE: volume chains", "measure --output=json --size 4096K -O qcow2 -o extended_l2=on,cluster_size=128k", "create -o extended_l2=on,cluster_size=128k,preallocation=metadata -f qcow2 lvm.qcow2 4096K", "create -F qcow2 -b base.qcow2 -f qcow2 snap.qcow2 -o extended_l2=on,cluster_size=128k",
            "bench -q -w -c 4 -d 1 -s 8k -S 200k snap.qcow2", "create -F qcow2 -b snap.qcow2 -f qcow2 live.qcow2 -o extended_l2=on,cluster_size=128k,preallocation=metadata", "bench -q -w -c 3 -d 1 -s 8k -o 20k -S 300k --pattern=7 live.qcow2", "info --output=json live.qcow2 -f qcow2 --backing-chain",
            "rebase -b base.qcow2 -F qcow2 -f qcow2 live.qcow2", "commit live.qcow2", "resize -f qcow2 live.qcow2 6291456", "convert -f qcow2 -O raw live.qcow2 out.raw", "dd -n -f raw -O raw bs=4k osize=540672 if=disk.raw of=efi.raw", "convert -p -n -l snapshot.name=snap -f qcow2 -O raw base.qcow2 out.raw",
            "convert -p -n -f raw -O raw disk.raw zeroinit:out.raw", "convert -p -n -r 1024K -f raw -O raw disk.raw out.raw") with
        {
            Images = ["live.qcow2", "base.qcow2", "snap.qcow2"],
            SameLayout = false,
        },
        Calls("OpenStack Cinder: encrypted volumes", "create -f qcow2 -o encrypt.format=luks,encrypt.key-secret=sec1,encrypt.cipher-alg=aes-256,encrypt.cipher-mode=xts,encrypt.ivgen-alg=plain64,encrypt.iter-time=20 --object secret,id=sec1,format=raw,file=key volume 2097152",
            "create -fqcow2 -o encrypt.format=luks,encrypt.key-secret=s1,encrypt.cipher-alg=aes-256,encrypt.cipher-mode=xts,encrypt.ivgen-alg=plain64,encrypt.iter-time=20 -F qcow2 -b 'json:{\"driver\": \"qcow2\", \"encrypt.key-secret\": \"s0\", \"file\": {\"driver\": \"file\", \"filename\": \"volume\"}}' --object secret,id=s0,file=key --object secret,id=s1,file=key snap",
            "rebase --object secret,id=s0,file=key --image-opts encrypt.key-secret=s0,file.filename=snap -u -b volume -F qcow2", "bench -q -w -c 3 -d 1 -s 8k -S 100k --pattern=3 --object secret,id=s0,file=key --image-opts file.filename=snap,encrypt.format=luks,encrypt.key-secret=s0,backing.file.filename=volume,backing.encrypt.key-secret=s0",
            "commit --object secret,id=s0,format=raw,file=key --image-opts -d file.filename=snap,encrypt.format=luks,encrypt.key-secret=s0,backing.file.filename=volume,backing.encrypt.key-secret=s0",
            "convert --object secret,id=sec1,format=raw,file=key --object secret,id=sec2,format=raw,file=key --image-opts encrypt.format=luks,encrypt.key-secret=sec1,file.filename=volume -O luks -o key-secret=sec2,iter-time=20 out.luks",
            "convert -O luks -t none -f raw -o cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=essiv,iter-time=20 --object secret,id=luks_sec,format=raw,file=key -o key-secret=luks_sec disk.raw essiv.luks", "compare --object secret,id=s,file=key --image-opts driver=luks,key-secret=s,file.filename=essiv.luks driver=raw,file.filename=disk.raw",
            "create -f luks -o cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,iter-time=20 --object secret,id=luks_sec,format=raw,file=key -o key-secret=luks_sec rbd.luks 1M", "convert -O vpc -o subformat=fixed -f qcow2 base.qcow2 up.vhd", "convert -O vpc -t none -S 0 -o subformat=dynamic -f raw disk.raw up2.vhd"),
        Calls("FAI, mkosi, grml-debootstrap", "create fai.raw 2G", "convert -f raw disk.raw -c -O qcow2 fai.qcow2", "convert -f raw disk.raw -O vmdk fai.vmdk", "convert -f raw disk.raw -O vhdx fai.vhdx", "convert -onocow=on -fraw -Oqcow2 disk.raw mkosi.qcow2", "create -f raw grml.img 2G") with { Images = ["fai.qcow2", "mkosi.qcow2", "fai.vmdk", "fai.vhdx"], SameLayout = false },
        Calls("libvirt", "create -f raw vol.raw 4096K", "create -f qcow2 -b base.qcow2 -F qcow2 -o compat=0.10 vol.qcow2 4096K", "create -f qcow2 -o compat=1.1,lazy_refcounts vol2.qcow2 4096K", "create -f qcow2 -o preallocation=falloc,compat=1.1,cluster_size=131072 vol3.qcow2 4096K", "convert -f raw -O qcow2 -o compat=1.1,lazy_refcounts disk.raw vol4.qcow2",
            "info vol.qcow2", "snapshot -c snap vol2.qcow2", "snapshot -a snap vol2.qcow2", "snapshot -d snap vol2.qcow2", "resize vol2.qcow2 8388608", "resize -f raw --preallocation=falloc vol.raw 8388608", "rebase -u -b '' vol.qcow2") with { Images = ["vol4.qcow2"] },
        Calls("libvirt: LUKS", "create -f luks --object secret,id=vol_encrypt0,file=key -o key-secret=vol_encrypt0,iter-time=10 vol.luks 1M", "create -f qcow2 --object secret,id=vol_encrypt0,file=key -o encrypt.format=luks,encrypt.key-secret=vol_encrypt0,encrypt.iter-time=10,compat=1.1 vol.qcow2 1M",
            "resize --object secret,id=vol_encrypt0,file=key --image-opts driver=luks,key-secret=vol_encrypt0,file.filename=vol.luks 2097152", "convert --image-opts -n --target-image-opts --object secret,id=vol_encrypt0,file=key driver=raw,file.filename=disk.raw,size=1M driver=qcow2,file.filename=vol.qcow2,encrypt.key-secret=vol_encrypt0",
            "compare --object secret,id=vol_encrypt0,file=key --image-opts driver=raw,file.filename=disk.raw,size=1M driver=qcow2,file.filename=vol.qcow2,encrypt.key-secret=vol_encrypt0"),
        Calls("libvirt: volumes of a directory", "create -f qed a.qed 8192K", "create -f vmdk a.vmdk 8192K", "create -f vpc a.vpc 8192K", "create -f vdi a.vdi 8192K", "create -f qcow2 -o preallocation=falloc,compat=0.10 m.qcow2 8192K", "create -f qcow2 -b base.qcow2 -o backing_fmt=qcow2,compat=0.10 o.qcow2 8192K",
            "convert -f qcow2 -O qcow2 -o compat=0.10 base.qcow2 c.qcow2", "convert -f vmdk -O vmdk disk.vmdk c.vmdk", "convert -f qcow2 -O qcow2 -o preallocation=metadata,compat=0.10 base.qcow2 cm.qcow2", "resize c.qcow2 16777216", "resize --shrink c.qcow2 4194304",
            "create -f qcow2 -o compat=1.1,cluster_size=131072,lazy_refcounts,extended_l2=on x.qcow2 8192K", "convert -f qcow2 -O raw base.qcow2 z.qcow2") with
        {
            Images = ["c.qcow2", "c.vmdk", "z.qcow2:raw"],
            SameLayout = false,
        },
        Calls("virt-make-fs, virt-resize, guestfish", "create -f qcow2 -o preallocation=metadata ./out.qcow2 4697528", "info -U --output json ./out.qcow2", "create -f qcow2 -o backing_file=base.qcow2,backing_fmt=qcow2,compat=1.1 ./over.qcow2", "convert -f qcow2 -O qcow2 ./over.qcow2 ./sparse.qcow2",
            "convert -f qcow2 -O qcow2 -c -o compat=0.10 ./over.qcow2 ./small.qcow2", "create -f qcow2 -o preallocation=metadata,compat=1.1,cluster_size=131072 ./a.qcow2 1048576", "create -f qcow2 -o backing_file=a.qcow2,backing_fmt=qcow2 ./b.qcow2", "info -U --output json ./b.qcow2") with { Images = ["sparse.qcow2", "small.qcow2"] },
        Calls("oVirt's imageio", "info --output json top.qcow2", "measure --output json -O qcow2 'json:{\"file\": {\"driver\": \"file\", \"filename\": \"top.qcow2\"}, \"driver\": \"qcow2\"}'",
            "measure --output json -O qcow2 'json:{\"file\": {\"driver\": \"file\", \"filename\": \"top.qcow2\"}, \"driver\": \"qcow2\", \"backing\": null}'",
            "measure --output json --force-share -O qcow2 'json:{\"file\": {\"driver\": \"file\", \"filename\": \"top.qcow2\"}, \"driver\": \"qcow2\", \"backing\": {\"driver\": \"qcow2\", \"file\": {\"driver\": \"file\", \"filename\": \"base.qcow2\"}}}'",
            "convert -p -t none -T none -O qcow2 -o compat=1.1 -c disk.raw t.qcow2", "convert -p -t none -T none -O qcow2 -o compat=0.10 t.qcow2 t.qcow2.qcow2", "check --output json t.qcow2", "map --output json top.qcow2", "create -f qcow2 -o compat=0.10 -b disk.raw -F raw leaf.img") with { Images = ["t.qcow2", "t.qcow2.qcow2"], SameLayout = false },
        Calls("Ganeti's ovfconverter, vmdb2", "info disk.vmdk", "convert -O raw disk.vmdk out.raw", "create -f raw v.img 64M") with { Images = ["out.raw:raw"] },
        Calls("libguestfs, virt-sparsify, virt-v2v", "info --output json base.qcow2", "info --output=json 'json:{ \"file.driver\": \"file\", \"file.filename\": \"base.qcow2\" }'", "create -q -f qcow2 -b base.qcow2 -o compat=1.1,backing_fmt=qcow2 overlay", "create -f qcow2 -o backing_file=disk.raw,backing_fmt=raw over2", "create -f raw -o preallocation=off guest.raw 3M",
            "convert -q -f qcow2 -O raw overlay sparse.raw", "convert -q -f qcow2 -O qcow2 -c -o compat=0.10 overlay sparse.qcow2", "convert -p -n -f qcow2 -O raw overlay guest.raw", "convert -f qcow2 -O qcow2 -o compat=1.1 overlay local.qcow2", "measure -f qcow2 -O qcow2 --output=human overlay", "rebase -b '' over2", "resize overlay 4M") with
        {
            Images = ["sparse.raw:raw", "sparse.qcow2", "local.qcow2", "guest.raw:raw"],
        },
        Calls("KubeVirt's importer", "info --output=json disk.vmdk", "convert -t writeback -p -O raw disk.vmdk volume.img", "convert -t none -p -O raw -o preallocation=falloc base.qcow2 full.img", "convert -t writeback -p -O raw -S 0 base.qcow2 thick.img", "resize -f raw volume.img 5242880", "create -f raw empty.img 1048576", "create -o preallocation=falloc -f raw f.img 1048576",
            "rebase -p -u -F qcow2 -b base.qcow2 top.qcow2", "commit -p top.qcow2") with { Images = ["volume.img:raw", "base.qcow2", "thick.img:raw"], SameLayout = false },
        Calls("Packer", "create -f qcow2 vm 40960K", "create -f qcow2 -b base.qcow2 -F qcow2 linked 40960K", "resize -f qcow2 base.qcow2 40960K", "convert -O qcow2 base.qcow2 vm.convert", "convert -c -O qcow2 -o compression_type=zstd base.qcow2 vm2.convert", "convert -O raw base.qcow2 vm3.convert", "info --output=json vm2.convert") with
        {
            Images = ["vm.convert", "vm2.convert"],
        },
        Calls("KIWI and diskimage-builder", "convert -f raw disk.raw -O qcow2 k.qcow2", "convert -c -f raw disk.raw -O qcow2 k2.qcow2", "convert -f raw -O vmdk disk.raw -o adapter_type=lsilogic -o subformat=streamOptimized k.vmdk", "convert -f raw disk.raw -O vhdx -o subformat=dynamic k.vhdx", "convert -f raw disk.raw -O vdi k.vdi",
            "convert -f raw disk.raw -O vpc -o subformat=fixed -o force_size k.vhd", "convert -f raw -O vpc -o subformat=dynamic,force_size=on disk.raw k2.vhd", "convert -f raw -O qcow2 -o compat=0.10 disk.raw d.qcow2-new", "convert -f raw -O qcow2 -c -o cluster_size=65536 disk.raw e.qcow2-new", "info --output=json disk.raw") with
        {
            Images = ["k.qcow2", "k2.qcow2", "k.vmdk", "k.vhdx", "k.vdi", "k.vhd:vpc", "k2.vhd", "d.qcow2-new"],
            SameLayout = false,
        },
        Calls("cloud-image-utils, Multipass, Lima, quickemu", "convert -f raw -O raw disk.raw seed.img", "convert -f raw -O qcow2 disk.raw seed.qcow2", "info disk.vmdk", "amend -o compat=1.1 old.qcow2", "resize old.qcow2 5242880", "snapshot -l old.qcow2", "create -f qcow2 -F qcow2 -b base.qcow2 diffdisk 8M", "info --output=json --force-share diffdisk", "snapshot -c tag diffdisk",
            "snapshot -a tag diffdisk", "create -q -f qcow2 -o lazy_refcounts=on,preallocation=metadata,nocow=on quick.qcow2 4M", "check -q quick.qcow2", "snapshot -q -c t1 quick.qcow2", "snapshot -q -d t1 quick.qcow2", "convert -O qcow2 -p diffdisk merged.qcow2", "check diffdisk", "info -U quick.qcow2") with { Images = ["seed.qcow2", "merged.qcow2"] },
        Calls("Vagrant and people's backup scripts", "info --output=json base.qcow2", "convert -p -O qcow2 -S 16k top.qcow2 box.img", "rebase -p -b '' top.qcow2", "convert -O qcow2 -o cluster_size=2M -p disk.raw big.qcow2", "convert -O qcow2 -f qcow2 -m 16 -W -c top.qcow2 backup.qcow2", "compare -s base.qcow2 base.qcow2", "compare top.qcow2 backup.qcow2", "map --output=json top.qcow2",
            "dd -f qcow2 -O raw bs=1M if=base.qcow2 of=dd.raw", "check -r leaks top.qcow2", "check -r all base.qcow2", "convert disk.raw plain") with { Images = ["box.img", "dd.raw:raw"], SameLayout = false },
    ];

    private static ConformanceCase Calls(string program, params string[] steps) =>
        new() { Command = "calls made by others", Topic = program, Setup = Images, Steps = steps, IgnoresDiskSize = true };
}
