using ImageCluster.Api.Documents;

namespace ImageCluster.Api.Operating;

/// <summary><c>image ...</c></summary>
internal static class ImageCommands
{
    private static readonly OperatorArgument Name = new("name", ["-n", "--name"], "The image: root:path.", IsMandatory: true);

    public static OperatorPalette Palette { get; } = new("image", "Images and who uses them.",
    [
        new("list", "Images that somebody uses.",
            [new("limit", ["--limit"], $"At most so many (1 to {ListQuery.MaxLimit}; {ListQuery.DefaultLimit} otherwise)."), CommonArguments.Offset],
            ListAsync),
        new("show", "Who uses an image, what stands on it, how far its filling is.", [Name], ShowAsync),
        new("release", "Takes a stuck lease away. It ends at its deadline, not before: its holder may be at work until then.",
            [
                Name,
                new("token", ["-t", "--token"], "The lease's token, as 'image show' has it.", IsMandatory: true),
                new("reason", ["-r", "--reason"], "Why; it is stored and shown to the holder.", IsMandatory: true),
            ],
            ReleaseAsync),
        new("dependents", "Overlays that are known to stand on an image, and keep it from being changed.", [Name], DependentsAsync),
        new("forget-dependent", "Forgets an overlay that was deleted, or given another backing file, without the cluster. Nobody looks whether that is so: one that still stands on " +
            "the image is corrupted by the image's next change.",
            [
                Name,
                new("dependent", ["-d", "--dependent"], "The overlay: root:path, as 'image dependents' has it.", IsMandatory: true),
                new("reason", ["-r", "--reason"], "Why; it is stored.", IsMandatory: true),
            ],
            ForgetDependentAsync),
    ]);

    private static async Task<string> ListAsync(OperatorCall call, CancellationToken cancel)
    {
        ListQuery query = CommonArguments.Query(call.Arguments);
        ImageList list = await call.Cluster.ListImagesAsync(query, cancel).ConfigureAwait(false);
        var table = new TextTable("IMAGE", ">TOKEN", "HOLDER", "PURPOSE", ">SECONDS LEFT", "DETAIL");
        foreach (ImageDocument image in list.Items)
        {
            AddUsers(table, image, [image.Name]);
        }

        return table.ToText("no image is in use") + CommonArguments.More(query, list.Items.Count, list.Total);
    }

    private static async Task<string> ShowAsync(OperatorCall call, CancellationToken cancel) =>
        Describe(await call.Cluster.GetImageAsync(call.Arguments.Get("name"), cancel).ConfigureAwait(false));

    private static async Task<string> ReleaseAsync(OperatorCall call, CancellationToken cancel)
    {
        var request = new ReleaseRequest
        {
            Token = call.Arguments.GetNumber("token", 0, 1, long.MaxValue),
            Reason = call.Arguments.Get("reason"),
            By = call.By,
        };
        return Describe(await call.Cluster.ReleaseImageAsync(call.Arguments.Get("name"), request, cancel).ConfigureAwait(false));
    }

    private static async Task<string> DependentsAsync(OperatorCall call, CancellationToken cancel) =>
        Dependents(await call.Cluster.GetImageAsync(call.Arguments.Get("name"), cancel).ConfigureAwait(false));

    private static async Task<string> ForgetDependentAsync(OperatorCall call, CancellationToken cancel)
    {
        var request = new ForgetDependentRequest
        {
            Dependent = call.Arguments.Get("dependent"),
            Reason = call.Arguments.Get("reason"),
            By = call.By,
        };
        return Dependents(await call.Cluster.ForgetDependentAsync(call.Arguments.Get("name"), request, cancel).ConfigureAwait(false));
    }

    private static string Dependents(ImageDocument image)
    {
        var table = new TextTable("OVERLAY");
        foreach (string overlay in image.Dependents)
        {
            table.Add(overlay);
        }

        return table.ToText($"nothing is known to stand on {image.Name}");
    }

    private static string Describe(ImageDocument image)
    {
        TextFacts facts = new TextFacts()
            .Add("image", image.Name)
            .AddIf(image.Shards > 0, "filling", $"{image.ShardsPublished} of {image.Shards} shards published")
            .Add("finished by", image.FinishedBy)
            .Add("digest", image.Digest);
        foreach (string overlay in image.Dependents)
        {
            facts.Add("overlay", overlay);
        }

        var table = new TextTable(">TOKEN", "HOLDER", "PURPOSE", ">SECONDS LEFT", "DETAIL");
        AddUsers(table, image, []);
        return $"{facts}\n\n{table.ToText("nobody uses it")}";
    }

    private static void AddUsers(TextTable table, ImageDocument image, string[] before)
    {
        foreach (ImageUseDocument use in image.Users)
        {
            string detail = use.Released is { } released ? $"{use.Detail} (released: {released})".TrimStart() : use.Detail ?? "";
            table.Add([.. before, FactText.Number(use.Token), use.Holder, use.Purpose, use.SecondsLeft is { } left ? FactText.Number((long)Math.Ceiling(left)) : "", detail]);
        }
    }
}
