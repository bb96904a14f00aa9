using System.Collections.Immutable;
using ImageCluster.Cluster.Messages;
using ImageCluster.Jobs;
using ImageCluster.Jobs.Execution;
using ImageCluster.Jobs.Migrations;
using ImageCluster.Testing.Qemu;

namespace ImageCluster.Cluster.Tests.RealWorkers;

/// <summary>Encrypted images, whose passwords only workers have.</summary>
[Collection(nameof(RealCluster))]
public sealed class EncryptedTests(RealCluster cluster)
{
    [SkippableFact]
    public async Task An_image_is_encrypted_and_decrypted_and_no_password_is_stored()
    {
        RealCluster.Place place = cluster.NewPlace();
        place.Raw("a.raw", 600 << 20, 1);
        await place.SucceedAsync(Encrypting(place, "a.raw", "b.qcow2"));
        Assert.Contains("encrypted: yes", QemuTools.Img("info", place["b.qcow2"]), StringComparison.Ordinal);
        ConvertSpec back = new() { Source = place.Name("b.qcow2"), Target = place.Name("c.raw"), TargetFormat = "raw" };
        Assert.Contains("name the secret", await place.FailAsync(back), StringComparison.Ordinal);
        await place.SucceedAsync(back with { Secrets = ImmutableSortedDictionary<ImageName, string>.Empty.Add(place.Name("b.qcow2"), "old") });
        QemuTools.Img("compare", "-f", "raw", "-F", "raw", place["a.raw"], place["c.raw"]);
        await place.AssertQuietAsync("c.raw");
        Assert.True(cluster.Journal().AsSpan().IndexOf("b.qcow2"u8) > 0, "what is looked for would be found");
        Assert.True(cluster.Journal().AsSpan().IndexOf("open sesame"u8) < 0, "the password is in the journal");
    }

    [SkippableFact]
    public async Task A_migration_from_one_password_to_another()
    {
        RealCluster.Place place = cluster.NewPlace();
        place.Raw("a.raw", 3 << 20, 1);
        await place.SucceedAsync(Encrypting(place, "a.raw", "a.qcow2"));
        place.Raw("plain.qcow2.raw", 1 << 20, 2);
        QemuTools.Img("convert", "-f", "raw", "-O", "qcow2", place["plain.qcow2.raw"], place["plain.qcow2"]);
        string directory = place.Name("x").Path.Split('/')[0];
        string id = $"migration-{directory}";
        await cluster.Coordinator.SubmitMigrationAsync(id, $$"""
            version: 1
            name: vault
            sources: [ { root: {{RealCluster.Root}}, include: "{{directory}}/*.qcow2", secret: old } ]
            target:
              root: {{RealCluster.Root}}
              name: "{path}/new/{name}.qcow2"
              format: qcow2
              options: { encrypt.format: luks, encrypt.iter-time: 10 }
              secret: new
            """);
        MigrationDescription end = await cluster.Coordinator.MigrationAsync(id, migration => migration.Overview.HasEnded);
        Assert.True(end.Overview.Phase == MigrationPhase.Succeeded, string.Join("; ", end.Overview.Reasons));
        Assert.Equal(2, end.Overview.Numbers.Succeeded);
        QemuTools.Img("convert", "--object", $"secret,id=s,file={cluster.SecretFile("new")}", "--image-opts",
            $"driver=qcow2,encrypt.key-secret=s,file.filename={place["new/plain.qcow2"]}", "-O", "raw", place["plain.out"]);
        QemuTools.Img("compare", "-f", "raw", "-F", "raw", place["plain.qcow2.raw"], place["plain.out"]);
    }

    private static ConvertSpec Encrypting(RealCluster.Place place, string raw, string encrypted) => new()
    {
        Source = place.Name(raw),
        SourceFormat = "raw",
        Target = place.Name(encrypted),
        TargetFormat = "qcow2",
        Options = ImmutableSortedDictionary<string, string>.Empty.Add("encrypt.format", "luks").Add("encrypt.iter-time", "10"),
        Secrets = ImmutableSortedDictionary<ImageName, string>.Empty.Add(place.Name(encrypted), "old"),
    };
}
