using YamlDotNet.RepresentationModel;

namespace ImageCluster.Deployment.Tests;

/// <summary>What k8s/ renders to keeps the rules for pods, and its parts fit together.</summary>
public class KubernetesTests
{
    public static TheoryData<string> Overlays => ["k8s/base", "k8s/overlays/lab", "k8s/overlays/production"];

    [SkippableTheory]
    [MemberData(nameof(Overlays))]
    public void PodsAreRestricted(string overlay)
    {
        foreach (YamlNode workload in Kustomization.Render(overlay).Workloads)
        {
            YamlNode pod = workload.At("spec/template/spec")!;
            Assert.Equal("false", pod.Text("automountServiceAccountToken"));
            Assert.Equal("true", pod.Text("securityContext/runAsNonRoot"));
            Assert.Equal("RuntimeDefault", pod.Text("securityContext/seccompProfile/type"));
            Assert.Null(pod.At("hostNetwork"));
            YamlNode container = Assert.Single(pod.Items("containers"));
            Assert.Equal("false", container.Text("securityContext/allowPrivilegeEscalation"));
            Assert.Equal("true", container.Text("securityContext/readOnlyRootFilesystem"));
            Assert.Equal("ALL", container.Text("securityContext/capabilities/drop/0"));
            Assert.NotNull(container.At("resources/limits/memory"));
            Assert.NotNull(container.At("resources/requests/cpu"));
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Overlays))]
    public void ProbesAskWhatTheNodeAnswers(string overlay)
    {
        foreach (YamlNode workload in Kustomization.Render(overlay).Workloads)
        {
            YamlNode container = workload.At("spec/template/spec/containers/0")!;
            Assert.Equal("/health/live", container.Text("startupProbe/httpGet/path"));
            Assert.Equal("/health/live", container.Text("livenessProbe/httpGet/path"));
            Assert.Equal("/health/ready", container.Text("readinessProbe/httpGet/path"));
            Assert.Contains(container.Items("ports"), port => port.Text("name") == "http" && port.Text("containerPort") == "8080");
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Overlays))]
    public void NoSecretIsInTheTree(string overlay)
    {
        Kustomization rendered = Kustomization.Render(overlay);
        Assert.Empty(rendered.OfKind("Secret"));
        Assert.DoesNotContain(rendered.Settings.Keys, name => name is "IMAGECLUSTER_HTTP__TOKEN" or "IMAGECLUSTER_JOURNAL__CONNECTION");
    }

    [SkippableTheory]
    [MemberData(nameof(Overlays))]
    public void WorkersHaveNoSecretOfTheJournals(string overlay)
    {
        Kustomization rendered = Kustomization.Render(overlay);
        YamlNode secret = Assert.Single(rendered.Workers.Items("spec/template/spec/volumes"), volume => volume.Text("name") == "secrets");
        Assert.Equal("token", Assert.Single(secret.Items("secret/items")).Text("key"));
        Assert.DoesNotContain(rendered.Workers.Items("spec/template/spec/volumes"), volume => volume.Text("name") == "journal");
        // Nor a way to the database.
        YamlNode policy = Assert.Single(rendered.OfKind("NetworkPolicy"), policy => policy.Items("spec/egress").Any(rule => rule.Text("ports/0/port") == "5432"));
        Assert.Equal("coordinator", policy.Entries("spec/podSelector/matchLabels").Single(label => label.Key == "app.kubernetes.io/component").Value.ToString());
    }

    [SkippableTheory]
    [MemberData(nameof(Overlays))]
    public void SettingsAreTheNodes(string overlay)
    {
        Kustomization rendered = Kustomization.Render(overlay);
        IEnumerable<string> own = rendered.Workloads.SelectMany(workload => workload.Items("spec/template/spec/containers/0/env"))
            .Select(variable => variable.Text("name")!).Where(name => name.StartsWith("IMAGECLUSTER_", StringComparison.Ordinal));
        Assert.All(rendered.Settings.Keys.Concat(own), name => Assert.Contains(name, Repository.SettingVariables));
        foreach (YamlNode workload in rendered.Workloads)
        {
            string map = workload.Text("spec/template/spec/containers/0/envFrom/0/configMapRef/name")!;
            Assert.Equal(rendered.OfKind("ConfigMap").Single().Text("metadata/name"), map);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Overlays))]
    public void CoordinatorsFindEachOtherAndAMajorityGoesOn(string overlay)
    {
        Kustomization rendered = Kustomization.Render(overlay);
        YamlNode set = rendered.Coordinators;
        int replicas = int.Parse(set.Text("spec/replicas")!, System.Globalization.CultureInfo.InvariantCulture);
        string name = set.Text("metadata/name")!;
        string service = set.Text("spec/serviceName")!;
        Assert.Equal(
            Enumerable.Range(0, replicas).Select(i => $"{name}-{i}.{service}:4053"),
            rendered.Settings["IMAGECLUSTER_CLUSTER__SEEDS"].Split(','));
        Assert.Equal("static-quorum", rendered.Settings["IMAGECLUSTER_DOWNING__STRATEGY"]);
        Assert.Equal(replicas / 2 + 1, int.Parse(rendered.Settings["IMAGECLUSTER_DOWNING__QUORUM"], System.Globalization.CultureInfo.InvariantCulture));
        YamlNode headless = Assert.Single(rendered.OfKind("Service"), s => s.Text("metadata/name") == service);
        Assert.Equal("None", headless.Text("spec/clusterIP"));
        Assert.Equal("true", headless.Text("spec/publishNotReadyAddresses"));
        // The first one is ready when the cluster is formed, for which a majority must be up.
        Assert.Equal("Parallel", set.Text("spec/podManagementPolicy"));
    }

    [SkippableTheory]
    [MemberData(nameof(Overlays))]
    public void SelectorsSelectTheirPods(string overlay)
    {
        Kustomization rendered = Kustomization.Render(overlay);
        YamlNode[] pods = [.. rendered.Workloads.Select(workload => workload.At("spec/template/metadata")!)];
        foreach (YamlNode owner in rendered.OfKind("Service", "PodDisruptionBudget", "NetworkPolicy", "StatefulSet", "Deployment"))
        {
            string path = owner.Text("kind") switch
            {
                "Service" => "spec/selector",
                "NetworkPolicy" => "spec/podSelector/matchLabels",
                _ => "spec/selector/matchLabels",
            };
            (string Key, YamlNode Value)[] labels = [.. owner.Entries(path)];
            Assert.NotEmpty(labels);
            Assert.Contains(pods, pod => labels.All(label => pod.Entries("labels").Any(entry => entry.Key == label.Key && entry.Value.Equals(label.Value))));
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Overlays))]
    public void EverythingMountedIsThere(string overlay)
    {
        Kustomization rendered = Kustomization.Render(overlay);
        foreach (YamlNode workload in rendered.Workloads)
        {
            IEnumerable<string?> volumes = workload.Items("spec/template/spec/volumes").Select(volume => volume.Text("name"))
                .Concat(workload.Items("spec/volumeClaimTemplates").Select(claim => claim.Text("metadata/name")));
            Assert.All(workload.Items("spec/template/spec/containers/0/volumeMounts"), mount => Assert.Contains(mount.Text("name"), volumes));
            Assert.Contains(workload.Items("spec/template/spec/volumes"), volume =>
                volume.Text("persistentVolumeClaim/claimName") == rendered.OfKind("PersistentVolumeClaim").Single().Text("metadata/name"));
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Overlays))]
    public void ANodeHasTimeToHandItsWorkBack(string overlay)
    {
        Kustomization rendered = Kustomization.Render(overlay);
        int shutdown = int.Parse(rendered.Settings["IMAGECLUSTER_SHUTDOWN__TIMEOUT"].TrimEnd('s'), System.Globalization.CultureInfo.InvariantCulture);
        Assert.All(rendered.Workloads, workload => Assert.True(
            int.Parse(workload.Text("spec/template/spec/terminationGracePeriodSeconds")!, System.Globalization.CultureInfo.InvariantCulture) > shutdown));
    }

    [SkippableFact]
    public void ProductionScalesWorkersByTheQueueAndPinsItsImage()
    {
        Kustomization production = Kustomization.Render("k8s/overlays/production");
        Assert.Null(production.Workers.At("spec/replicas"));
        YamlNode scaler = Assert.Single(production.OfKind("ScaledObject"));
        Assert.Equal(production.Workers.Text("metadata/name"), scaler.Text("spec/scaleTargetRef/name"));
        Assert.Equal("http://imagecluster:8080/api/v1/queue", scaler.Text("spec/triggers/0/metadata/url"));
        Assert.Contains(production.OfKind("Service"), service => service.Text("metadata/name") == "imagecluster");
        Assert.Contains("public const string Queue = \"/api/v1/queue\"", Repository.Read("src/ImageCluster.Api/ApiPaths.cs"), StringComparison.Ordinal);
        Assert.All(production.Workloads, workload =>
        {
            string image = workload.Text("spec/template/spec/containers/0/image")!;
            Assert.Matches(@":\d+\.\d+\.\d+$", image);
        });
    }

    [SkippableFact]
    public void ComponentsFitTheBase()
    {
        Kustomization rendered = Kustomization.RenderWith("autoscale-prometheus", "tls");
        YamlNode scaler = Assert.Single(rendered.OfKind("HorizontalPodAutoscaler"));
        Assert.Equal(rendered.Workers.Text("metadata/name"), scaler.Text("spec/scaleTargetRef/name"));
        Assert.Null(rendered.Workers.At("spec/replicas"));
        Assert.Equal("false", rendered.Settings["IMAGECLUSTER_CLUSTER__TRUSTEDNETWORK"]);
        Assert.All(rendered.Settings.Keys, name => Assert.Contains(name, Repository.SettingVariables));
        // Only certificates of the cluster's own authority count.
        Assert.Equal("/etc/imagecluster/tls/authority.pem", rendered.Settings["IMAGECLUSTER_CLUSTER__TLS__AUTHORITY"]);
        Assert.DoesNotContain("IMAGECLUSTER_CLUSTER__TLS__VALIDATE", rendered.Settings.Keys);
        Assert.All(rendered.Workloads, workload =>
            Assert.Contains(workload.Items("spec/template/spec/containers/0/volumeMounts"), mount => mount.Text("mountPath") == "/etc/imagecluster/tls"));
    }
}
