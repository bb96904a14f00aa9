using ImageCluster.Api;
using ImageCluster.Api.Documents;

namespace ImageCluster.Faults;

/// <summary>What must hold when all is over.</summary>
internal static class Expectations
{
    /// <summary>All went well in the end: every disk has its sound and equal target, nobody holds anything, no node broke down.</summary>
    public static async Task AllMustBeWellAsync(this FaultCluster cluster, string id = "faults")
    {
        MigrationDocument migration = await cluster.EndAsync(id);
        if (migration.State != "succeeded")
        {
            throw new FaultException($"the migration {migration.State}: {string.Join("; ", migration.Reasons)} {Describe(await cluster.ImagesAsync(id))}");
        }

        string[] disks = [.. Directory.EnumerateFiles(cluster.Disks, "*.img")];
        foreach (string disk in disks)
        {
            MustBeEqual(disk, Path.Join(cluster.Targets, Path.GetFileNameWithoutExtension(disk) + ".qcow2"));
        }

        await cluster.NothingIsLeftAsync();
    }

    /// <summary>Nobody holds an image, nothing half done lies about, no node broke down.</summary>
    public static async Task NothingIsLeftAsync(this FaultCluster cluster)
    {
        await Until.ItIsSo("nobody holds an image", FaultCluster.Patience, async () => (await cluster.AskAsync(client => client.ListImagesAsync(new ListQuery()))).Total == 0);
        string[] hidden = [.. Directory.EnumerateFileSystemEntries(cluster.Targets, ".*").Select(name => Path.GetFileName(name))];
        if (hidden.Length > 0)
        {
            throw new FaultException($"there is left beside the targets: {string.Join(", ", hidden)}");
        }

        cluster.NoNodeMustHaveBrokenDown();
    }

    public static void NoNodeMustHaveBrokenDown(this FaultCluster cluster)
    {
        if (cluster.Nodes.SelectMany(node => node.WrongEnds).ToArray() is { Length: > 0 } wrong)
        {
            throw new FaultException(string.Join("\n", wrong));
        }
    }

    /// <summary>Every coordinator knows both workers, and there are no others: it is one cluster, and everybody is in it.</summary>
    public static async Task AllMustBeTogetherAsync(this FaultCluster cluster)
    {
        foreach (NodeProcess coordinator in cluster.Coordinators)
        {
            await Until.ItIsSo($"{coordinator.Name} knows all workers", FaultCluster.Patience, async () =>
                (await cluster.ClientOf(coordinator).ListWorkersAsync()).Items.Count == cluster.Workers.Count);
        }

        foreach (NodeProcess node in cluster.Nodes)
        {
            await Until.ItIsSo($"{node.Name} is ready", FaultCluster.Patience, () => cluster.IsReadyAsync(node));
        }
    }

    /// <summary>Whatever targets there are under their final names are whole and equal to their sources.</summary>
    public static void WhatIsThereMustBeWhole(this FaultCluster cluster)
    {
        foreach (string target in Directory.EnumerateFiles(cluster.Targets, "*.qcow2"))
        {
            MustBeEqual(Path.Join(cluster.Disks, Path.GetFileNameWithoutExtension(target) + ".img"), target);
        }
    }

    public static void MustBeEqual(string disk, string target, string targetFormat = "qcow2")
    {
        Shell.Run("qemu-img", "check", "-q", "-f", targetFormat, target);
        Shell.Run("qemu-img", "compare", "-f", "raw", "-F", targetFormat, disk, target);
    }

    public static string Describe(MigrationImageList images) =>
        string.Join("; ", images.Items.Where(image => image.State != "succeeded").Select(image => $"{image.Source} {image.State}: {image.Reason}"));
}
