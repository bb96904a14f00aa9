using ImageCluster.Imaging.Formats.Capabilities;

namespace ImageCluster.Imaging.Formats.Qcow2;

/// <content>Changing options of an image that is there already.</content>
internal sealed partial class WritableQcow2Image : IAmendable
{
    private const int KnownSnapshotData = 16;
    private const string HeaderStep = "Failed to update the image header";

    /// <remarks>
    /// What another option may need comes first: the newer version at the start, the older one at the end. All is checked before anything is
    /// changed, and each change is whole by itself, whatever the instant of a crash.
    /// </remarks>
    public void Amend(AmendRequest request)
    {
        AmendPlan plan = AmendPlan.Of(request, Metadata.Header, FileName);
        bool downgrades = plan.Version < Metadata.Header.Version;
        if (downgrades)
        {
            CheckDowngrade(plan);
        }

        if (plan.Version > Metadata.Header.Version)
        {
            Upgrade();
            request.Progress?.Invoke(1, 1);
        }

        if (plan.KeyOptions.Count > 0)
        {
            ImageEncryption.Amend(Encryption, request with { Options = plan.KeyOptions }, FileName);
        }

        if (plan.RefcountOrder != Metadata.Header.RefcountOrder)
        {
            ChangeRefcountWidth(plan.RefcountOrder, request.Progress);
        }

        ChangeHeader(plan);
        if (plan.Size is { } size && request.Resize is { } resize)
        {
            resize(size);
        }
        else if (plan.Size is { } own)
        {
            Resize(own, "off");
        }

        if (downgrades)
        {
            DropBitmaps();
            Downgrade(request.Progress);
            request.Progress?.Invoke(1, 1);
        }
    }

    private void CheckDowngrade(AmendPlan plan) => Exclusively(() =>
    {
        IReadOnlyList<Snapshot> snapshots = SnapshotTable.Read(Metadata.File, Metadata.Header);
        plan.CheckDowngrade(Metadata.Header, snapshots);
        ZeroExpander expander = new(Metadata, new Refcounts(Metadata), snapshots);
        if (Metadata.Header.CompressionType != CompressionType.Zlib && expander.FindsCompressed())
        {
            throw Unsupported("Cannot downgrade an image with zstd compression type and existing compressed clusters");
        }

        // Its cipher goes by the guest's offset.
        if (Metadata.Header.CryptMethod == CryptMethod.Aes && !expander.KnowsEveryPlace)
        {
            throw Unsupported("Cannot downgrade an image with AES encryption and overlapping snapshot L1 tables");
        }

        return 0;
    });

    private void Upgrade()
    {
        // Version 3 has a disk size in each snapshot.
        Exclusively(() =>
        {
            Tables.Begin();
            SnapshotTableContent table = SnapshotTable.Load(Metadata.File, Metadata.Header, forCheck: false, null);
            if (table.Snapshots.Any(static snapshot => snapshot.ExtraDataLength < KnownSnapshotData))
            {
                Step.Run("Failed to update the snapshot table", () =>
                    Tables.Guard(() => SnapshotTableWriter.Write(Metadata, new Refcounts(Metadata), table.Snapshots, table.Length)));
            }

            return 0;
        });
        WriteHeader(static header => header with { Version = 3 });
    }

    private void ChangeRefcountWidth(int order, Action<long, long>? progress) => Exclusively(() =>
    {
        Tables.Begin();
        Tables.Guard(() => RefcountWidth.Change(Metadata, order, progress));
        return 0;
    });

    private void ChangeHeader(AmendPlan plan) => WriteHeader(header => header with
    {
        Compatible = plan.IsLazy ? header.Compatible | CompatibleFeatures.LazyRefcounts : header.Compatible & ~CompatibleFeatures.LazyRefcounts,
        Autoclear = plan.IsDataFileRaw ? header.Autoclear : header.Autoclear & ~AutoclearFeatures.DataFileRaw,
        DataFile = plan.DataFile is null ? header.DataFile : plan.DataFile.Length > 0 ? plan.DataFile : null,
    });

    // Version 2 has no place for them.
    private void DropBitmaps()
    {
        foreach (ImageBitmap bitmap in ListBitmaps())
        {
            RemoveBitmap(bitmap.Name);
        }

        Flush();
    }

    private void Downgrade(Action<long, long>? progress) => Exclusively(() =>
    {
        Tables.Begin();
        Tables.Guard(() =>
        {
            CopiedFlags.SetDirty(Metadata, true);
            Refcounts refcounts = new(Metadata);
            IReadOnlyList<Snapshot> snapshots = SnapshotTable.Read(Metadata.File, Metadata.Header);
            ZeroExpander expander = new(Metadata, refcounts, snapshots) { Cipher = Cipher, Progress = progress };
            Step.Run("Failed to turn zero into data clusters", () =>
            {
                expander.Run();
                new CopiedFlags(Metadata, refcounts).Refresh();
            });
        });
        Step.Run(HeaderStep, () => ReplaceHeader(Metadata.Header with
        {
            Version = 2,
            Incompatible = IncompatibleFeatures.None,
            Compatible = CompatibleFeatures.None,
            Autoclear = AutoclearFeatures.None,
            CompressionType = CompressionType.Zlib,
            UnknownFields = [],
        }));
        return 0;
    });

    private void WriteHeader(Func<Header, Header> change) => Step.Run(HeaderStep, () => Alone(() =>
    {
        Tables.Begin();
        Tables.Flush();
        Header header = change(Metadata.Header);
        if (header != Metadata.Header)
        {
            ReplaceHeader(header);
        }

        return 0;
    }));

    private ImageException Unsupported(string message) => new(ImageErrorKind.Unsupported, FileName, message);
}
