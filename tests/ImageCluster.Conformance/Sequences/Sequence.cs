using System.Globalization;
using System.Text.Json;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Conformance.Sequences;

/// <summary>One image and what it stands on, changed step by step, with a model of plain bytes beside it.</summary>
internal sealed class Sequence : IDisposable
{
    private const int Sector = 512;
    private const int MaxSize = 3 << 20;
    private const int StepsBetweenLooks = 3;

    private readonly SequenceKind _kind;
    private readonly Random _random;
    private readonly Turns _turns = new();
    private readonly SequenceImage _top;
    private readonly List<SequenceImage> _bases = [];
    private readonly Dictionary<string, byte[]> _contentOf = [];
    private readonly Dictionary<string, byte[]> _snapshots = [];
    private readonly KeySlots _keys = new();
    private byte[] _content = [];
    private SequenceImage? _base;
    private bool _isRawFileKept;
    private int _names;

    public Sequence(SequenceKind kind, int seed)
    {
        _kind = kind;
        _random = new Random(seed);
        _turns.Note($"seed {seed}, {kind.Name}: {kind.Options}");
        foreach ((string name, string format, string options) in kind.Bases)
        {
            SequenceImage image = New(name, format, options);
            MakeBase(image);
            _bases.Add(image);
        }

        _top = New($"top.{kind.Format}", kind.Format, kind.Options);
        _base = !kind.HasBase ? null : kind.IsChain ? _bases[1] : _bases[0];
        _isRawFileKept = kind.RawFile is not null;
        MakeTop();
        if (kind.HasBitmaps)
        {
            _turns.Theirs("bitmap", "--add", _bases[0].Name, "b0");
            _turns.Theirs("bitmap", "--add", "-g", "4k", _top.Name, "b0");
        }
    }

    public void Dispose() => _turns.Dispose();

    /// <summary>Draws so many steps and does them; looks at the images every few of them.</summary>
    public void Run(int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            Do(_kind.Steps[_random.Next(_kind.Steps.Length)], ours: _random.Next(2) == 0);
            if (step % StepsBetweenLooks == StepsBetweenLooks - 1 || step == steps - 1)
            {
                _turns.Note($"looked at after step {step}");
                Look();
            }
        }
    }

    private static SequenceImage New(string name, string format, string options) => new(name, format, options)
    {
        Secret = format == "luks" || options.Contains("encrypt.format", StringComparison.Ordinal) ? SequenceImage.Secrets[0] : null,
    };

    private void MakeBase(SequenceImage image)
    {
        if (_kind.IsChain && _bases.Count > 0)
        {
            int size = _random.Next(1, MaxSize / Sector) * Sector;
            _turns.Theirs(["create", "-q", "-f", image.Format, .. Creation(image), "-b", _bases[0].BackingName, "-F", _bases[0].Format, image.Name, Number(size)]);
            for (int i = 0; i < 3; i++)
            {
                (int start, int length, byte value) = Range(size);
                _turns.Io(image, $"write -P {value} {start} {length}");
            }

            _contentOf[image.Name] = _turns.Read(image);
            return;
        }

        byte[] content = new byte[_random.Next(MaxSize / Sector) * Sector + Sector];
        for (int i = 0; i < 3; i++)
        {
            (int start, int length, byte value) = Range(content.Length);
            content.AsSpan(start, length).Fill(value);
        }

        File.WriteAllBytes(Path.Combine(_turns.Directory, "base.raw"), content);
        _turns.Theirs(["convert", "-f", "raw", "-O", image.Format, .. Creation(image), "base.raw", image.Name]);
        File.Delete(Path.Combine(_turns.Directory, "base.raw"));
        _contentOf[image.Name] = _turns.Read(image);
    }

    // What the image is made with.
    private static string[] Creation(SequenceImage image)
    {
        string options = image.IsEncrypted ? $"{image.Options},{image.SecretOption}={image.Secret}" : image.Options;
        return [.. image.IsEncrypted ? SequenceImage.Objects : [], .. options.Length == 0 ? Array.Empty<string>() : ["-o", options]];
    }

    private void MakeTop()
    {
        string[] under = _base is null
            ? [_top.Name, Number(_random.Next(1, MaxSize / Sector) * Sector)]
            : [.. _base.IsEncrypted && !_top.IsEncrypted ? SequenceImage.Objects : [], "-b", _base.BackingName, "-F", _base.Format, _top.Name];
        _turns.Theirs(["create", "-q", "-f", _top.Format, .. Creation(_top), .. under]);
        _content = _turns.Read(_top);
    }

    private void Do(SequenceStep step, bool ours)
    {
        switch (step)
        {
            case SequenceStep.Write when !_top.IsEncrypted:
                (int start, int length, byte value) = Range(_content.Length);
                int stride = length + _random.Next(3) * Sector * _random.Next(40);
                int count = Math.Min(_random.Next(1, 4), 1 + (_content.Length - start - length) / stride);

                // qemu-img does not write to a file directly that begins with a hole and ends within a page.
                string[] direct = _top.Format == "raw" && _content.Length % 4096 != 0 ? [] : ["none", "directsync"];
                string[] how = _random.Next(3) == 0 ? ["-t", Pick(["writeback", "writethrough", "unsafe", .. direct]), "-d", Number(_random.Next(1, 4)), "--flush-interval=2"] : [];
                string[] range = [.. how, "-w", "-c", Number(count), "-o", Number(start), "-s", Number(length), "-S", Number(stride), $"--pattern={value}"];
                Changed(Succeeds(ours, "bench", [.. range, .. Top()]), () =>
                {
                    for (int i = 0; i < count; i++)
                    {
                        _content.AsSpan(start + i * stride, length).Fill(value);
                    }
                });
                break;
            case SequenceStep.Write or SequenceStep.Copy:
                Copy(ours);
                break;
            case SequenceStep.Zero:
                (start, length, _) = Range(_content.Length);
                string unmap = _random.Next(2) == 0 ? "-u " : "";
                Changed(_turns.Io(_top, $"write -z {unmap}{start} {length}"), () => _content.AsSpan(start, length).Clear());
                break;
            case SequenceStep.Discard:
                (start, length, _) = Range(_content.Length);
                _turns.Io(_top, $"discard {start} {length}");
                _content = _turns.Read(_top);
                break;
            case SequenceStep.Compress:
                Compress();
                break;
            case SequenceStep.Snapshot:
                string name = $"s{_names++}";
                if (Succeeds(ours, "snapshot", ["-c", name, .. Top()]))
                {
                    _snapshots.Add(name, (byte[])_content.Clone());
                }

                break;
            case SequenceStep.Apply when _snapshots.Count > 0:
                name = _snapshots.Keys.ElementAt(_random.Next(_snapshots.Count));
                if (Succeeds(ours, "snapshot", ["-a", name, .. Top()]))
                {
                    _content = (byte[])_snapshots[name].Clone();
                }

                break;
            case SequenceStep.Delete when _snapshots.Count > 0:
                DropSnapshot(ours, _snapshots.Keys.ElementAt(_random.Next(_snapshots.Count)));
                break;
            case SequenceStep.Resize:
                Resize(ours);
                break;
            case SequenceStep.Amend:
                string amendment = _kind.Amendments[_random.Next(_kind.Amendments.Length)];
                if (_top.IsEncrypted && amendment == "compat=0.10")
                {
                    // Zero clusters, of which version 2 has none, become noise with qemu-img.
                    _turns.Ours(["amend", "-o", amendment, .. Top()]);
                }
                else if (Succeeds(ours, "amend", ["-o", amendment, .. Top()]) && amendment == "data_file_raw=off")
                {
                    _isRawFileKept = false;
                }

                if (_kind.Amendments.Contains("size=1M"))
                {
                    _content = _turns.Read(_top);
                }

                break;
            case SequenceStep.Keys:
                (string[] words, Action done) = _keys.Draw(_random, _top.Format == "luks" ? "" : "encrypt.");
                _turns.Run(ours, ["amend", .. words, .. Top()], [_top], () =>
                {
                    done();
                    _top.Secret = _keys.Any(_random);
                });
                break;
            case SequenceStep.Commit when _base is not null:
                Commit(ours, _base);
                break;
            case SequenceStep.Rebase:
                Rebase(ours);
                break;
            case SequenceStep.Repair:
                // Of an image with bitmaps qemu-img loses the snapshots.
                bool repairs = _random.Next(3) > 0 && (!_kind.HasBitmaps || _snapshots.Count == 0);
                Succeeds(ours, "check", [.. repairs ? new[] { "-r", Pick(["all", "leaks"]) } : [], .. Top()]);
                break;
            case SequenceStep.Overwrite:
                Overwrite(ours);
                break;
            case SequenceStep.Bitmap:
                Succeeds(ours, "bitmap", [.. BitmapActions(), _random.Next(5) == 0 ? _bases[0].Name : _top.Name, BitmapName()]);
                break;
            default:
                break;
        }
    }

    // What an encrypted image can be written with, too.
    private void Copy(bool ours)
    {
        (int start, int length, byte value) = Range(_content.Length);
        byte[] patch = new byte[length];
        if (!_kind.CopiesZeroes)
        {
            Array.Fill(patch, value);
        }

        _random.NextBytes(patch.AsSpan(0, _random.Next(length + 1)));
        patch.AsSpan(_random.Next(length)).Fill(value);
        File.WriteAllBytes(Path.Combine(_turns.Directory, "patch.raw"), patch);
        string window = $"driver=raw,offset={start},size={length},{_top.Node(prefix: "file.")}";
        bool succeeds = Succeeds(ours, "convert", ["-n", .. _top.IsEncrypted ? SequenceImage.Objects : [], "--image-opts", "--target-image-opts", "driver=raw,file.filename=patch.raw", window]);
        Changed(succeeds, () => patch.CopyTo(_content, start));
    }

    // The whole disk, or as much of it as the source has.
    private void Overwrite(bool ours)
    {
        byte[] content = new byte[_random.Next(1, _content.Length / Sector + 1) * Sector];
        for (int i = _random.Next(1, 4); i > 0; i--)
        {
            (int start, int length, byte value) = Range(content.Length);
            content.AsSpan(start, length).Fill(value);
        }

        File.WriteAllBytes(Path.Combine(_turns.Directory, "patch.raw"), content);
        if (_random.Next(2) == 0)
        {
            Programs.Execute(_turns.Directory, "fallocate", "-d", "patch.raw");
        }

        string[] how = [.. _random.Next(3) == 0 ? new[] { "-S", Pick(["0", "512", "64k"]) } : [], .. _random.Next(4) == 0 ? new[] { "-m", "1" } : [], .. _random.Next(5) == 0 ? new[] { "-C" } : []];
        how = how.Contains("-C") ? ["-C"] : how;
        Changed(Succeeds(ours, "convert", ["-n", .. how, .. _top.IsEncrypted ? SequenceImage.Objects : [], "--image-opts", "--target-image-opts", "driver=raw,file.filename=patch.raw", _top.Node()]), () => content.CopyTo(_content, 0));
    }

    // One whole cluster: qemu-img fails an assertion at less, and leaves the first clusters written where a later one fails.
    private void Compress()
    {
        int cluster = ClusterSize();
        int start = _random.Next((_content.Length + cluster - 1) / cluster) * cluster;
        int length = Math.Min(cluster, _content.Length - start);
        byte value = (byte)_random.Next(256);
        Changed(_turns.Io(_top, $"write -c -P {value} {start} {length}"), () => _content.AsSpan(start, length).Fill(value));
    }

    private int ClusterSize()
    {
        string size = _kind.Options.Split(',').FirstOrDefault(static option => option.StartsWith("cluster_size=", StringComparison.Ordinal))?.Split('=')[1] ?? "64k";
        return size.EndsWith('k') ? int.Parse(size[..^1], CultureInfo.InvariantCulture) << 10 : int.Parse(size, CultureInfo.InvariantCulture);
    }

    // Cut within a cluster, and grown again: qemu-img shows what the cluster held behind the end.
    private void Resize(bool ours)
    {
        int size = _random.Next(1, MaxSize / Sector) * Sector;
        bool isCut = size < _content.Length;
        size = isCut ? Math.Max(_kind.ResizeUnit, size / _kind.ResizeUnit * _kind.ResizeUnit) : size;

        // With qemu-img the guest of an encrypted image finds noise in what was preallocated, and where room is used again what stood there before.
        string[] preallocation = _random.Next(4) == 0 && !isCut && !_top.IsEncrypted && !HasStaleRoom() ? ["--preallocation=" + Pick(["off", "metadata", "falloc", "full"])] : [];
        if (Succeeds(ours, "resize", ["-q", "--shrink", .. preallocation, .. Top(asNode: true), Number(size)]))
        {
            Array.Resize(ref _content, size);

            // New room in a LUKS container is not zero: it is what zeros are decrypted to.
            _content = _top.Format == "luks" ? _turns.Read(_top) : _content;
        }
    }

    // Clusters that are free again, but not cut off the file's end.
    private bool HasStaleRoom()
    {
        if (_top.Format != "qcow2" || _kind.Options.Contains("data_file", StringComparison.Ordinal))
        {
            return false;
        }

        using JsonDocument check = JsonDocument.Parse(Programs.Execute(_turns.Directory, Programs.QemuImg, ["check", "--output=json", _top.Name]).Output);
        return check.RootElement.GetProperty("image-end-offset").GetInt64() < new FileInfo(Path.Combine(_turns.Directory, _top.Name)).Length;
    }

    private void Commit(bool ours, SequenceImage under)
    {
        // What a snapshot does not have it shows of the base, which changes.
        DropSnapshots(ours);
        string[] keep = _random.Next(4) == 0 ? ["-d"] : [];
        string[] target = [];
        if (_kind.IsChain && under != _bases[0] && _random.Next(2) == 0)
        {
            under = _bases[0];
            target = ["-b", under.Name];
        }

        string[] words = ["commit", "-q", .. keep, .. target, .. Top()];

        // A vmdk no longer stands on what was changed under it.
        if (_turns.Run(ours, words, _top.Format == "vmdk" ? _bases : [_top, .. _bases]).ExitCode == 0)
        {
            byte[] content = _contentOf[under.Name];
            Array.Resize(ref content, Math.Max(content.Length, _content.Length));
            _content.CopyTo(content, 0);
            _contentOf[under.Name] = content;
            Assert.True(_turns.Read(under).AsSpan().SequenceEqual(content), $"{_turns.History}\n{under.Name} does not hold what was committed to it.");
        }
        else
        {
            _contentOf[under.Name] = _turns.Read(under);
        }

        foreach (SequenceImage image in _kind.IsChain ? _bases : [])
        {
            _contentOf[image.Name] = _turns.Read(image);
        }

        if (_top.Format == "vmdk")
        {
            MakeTop();
        }
    }

    private void Rebase(bool ours)
    {
        DropSnapshots(ours);
        if (_top.Format == "qcow2")
        {
            // In version 2 qemu-img lets the new backing file shine through where there was none.
            Succeeds(ours, "amend", ["-o", "compat=1.1", .. Top()]);
        }

        SequenceImage? under = _random.Next(3) == 0 ? null : _bases[_random.Next(_bases.Count)];
        string[] objects = under is { IsEncrypted: true } && !_top.IsEncrypted ? SequenceImage.Objects : [];
        string[] words = under is null ? ["-b", ""] : ["-b", under.BackingName, "-F", under.Format];
        if (Succeeds(ours, "rebase", [.. objects, .. words, .. Top()]))
        {
            _base = under;
        }
    }

    private IEnumerable<string> BitmapActions()
    {
        for (int i = _random.Next(1, 4); i > 0; i--)
        {
            string[] action = _random.Next(10) switch
            {
                0 or 1 or 2 => ["--add", "-g", Pick(["512", "4k", "64k", "1M"])],
                3 => ["--add", "--disable"],
                4 => ["--remove"],
                5 => ["--clear"],
                6 => ["--enable"],
                7 => ["--disable"],
                8 => ["--merge", BitmapName(), "-b", _bases[0].Name, "-F", "qcow2"],
                _ => ["--merge", BitmapName()],
            };
            foreach (string word in action)
            {
                yield return word;
            }
        }
    }

    private string BitmapName() => Pick(["b0", "b1", "b2"]);

    private string Pick(string[] choices) => choices[_random.Next(choices.Length)];

    private void DropSnapshots(bool ours)
    {
        foreach (string name in _snapshots.Keys.ToArray())
        {
            DropSnapshot(ours, name);
        }
    }

    private void DropSnapshot(bool ours, string name)
    {
        Assert.True(Succeeds(ours, "snapshot", ["-d", name, .. Top()]), _turns.History);
        _snapshots.Remove(name);
    }

    private void Look()
    {
        File.WriteAllBytes(Path.Combine(_turns.Directory, "model.raw"), _content);
        ToolResult compared = _turns.Both(["compare", .. _top.Words(asNode: true), "driver=raw,file.filename=model.raw"]);
        Assert.True(compared.Output == "Images are identical.\n", $"{_turns.History}\n{compared.Output}{compared.Error}");
        if (_isRawFileKept)
        {
            Assert.True(File.ReadAllBytes(Path.Combine(_turns.Directory, _kind.RawFile!)).AsSpan().StartsWith(_content), $"{_turns.History}\nThe guest's bytes are not those of {_kind.RawFile}.");
        }

        foreach (SequenceImage image in _base is null ? [_top] : new[] { _top, _base })
        {
            string[] words = image.Words(_random.Next(3) == 0);
            _turns.Both(["info", .. words]);
            _turns.Both(["info", "--output=json", .. words]);
            _turns.Both(["map", "--output=json", .. words]);
            ToolResult check = _turns.Both(["check", "--output=json", .. words]);
            Assert.True(check.ExitCode is 0 or 63, $"{_turns.History}\n{check.Output}{check.Error}");
        }

        // A snapshot is shown with the size that the disk has now: whole it is only where that is its own.
        foreach ((string name, byte[] content) in _snapshots.Where(snapshot => snapshot.Value.Length == _content.Length).Take(1))
        {
            File.WriteAllBytes(Path.Combine(_turns.Directory, "model.raw"), content);
            _turns.Both(["convert", "-O", "raw", "-l", name, .. _top.Words(), "snapshot.raw"]);
            _turns.Check(Programs.Execute(_turns.Directory, "cmp", "model.raw", "snapshot.raw"));
            File.Delete(Path.Combine(_turns.Directory, "snapshot.raw"));
        }

        File.Delete(Path.Combine(_turns.Directory, "model.raw"));
    }

    // Some changes are refused in some states, by either program.
    private bool Succeeds(bool ours, string command, string[] words) => _turns.Run(ours, [command, .. words], [_top, .. _bases]).ExitCode == 0;

    // What failed may have been done in part: both came to the same, and that is what there is from now on.
    private void Changed(bool succeeds, Action change)
    {
        if (succeeds)
        {
            change();
        }
        else
        {
            _content = _turns.Read(_top);
        }
    }

    private string[] Top(bool asNode = false) => _top.Words(asNode || _random.Next(4) == 0);

    private (int Start, int Length, byte Value) Range(int size)
    {
        int start = _random.Next(size / Sector) * Sector;
        int length = Math.Min(size - start, _random.Next(1, _random.Next(2) == 0 ? 20 : 1500) * Sector);
        return (start, length, (byte)_random.Next(1, 256));
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
