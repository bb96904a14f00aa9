using ImageCluster.Api.Documents;

namespace ImageCluster.Api.Operating;

/// <summary><c>job ...</c></summary>
internal static class JobCommands
{
    private static readonly OperatorArgument Id = CommonArguments.Id("job");

    public static OperatorPalette Palette { get; } = new("job", "Single jobs, and those of migrations.",
    [
        new("list", "Jobs, newest first.",
            [
                CommonArguments.State("planning", "working", "paused", "stopping", "cleaningUp", "succeeded", "failed", "cancelled"),
                new("migration", ["-m", "--migration"], "Only those of this migration."), CommonArguments.Limit, CommonArguments.Offset,
            ],
            ListAsync),
        new("show", "One job: its step, who works on it, what went wrong.", [Id], ShowAsync),
        new("submit", "Submits a single job. The same job by the same id again changes nothing.",
            [
                new("operation", ["-o", "--operation"], "What to do.", IsMandatory: true, Hints: ["convert", "compare", "commit", "rebase", "create", "resize", "amend", "snapshotCreate", "snapshotDelete", "snapshotApply", "repair"]),
                new("source", ["-s", "--source"], "root:path of the image that is converted, compared, committed (the top), rebased or changed.", IsMandatory: true),
                new("target", ["-t", "--target"], "root:path of the target, the second image, the base of a commit, or the (new) backing file."),
                new("sourceFormat", ["-f", "--source-format"], "Format of the source; probed otherwise."),
                new("targetFormat", ["-O", "--target-format"], "Format of the target, the second image or the backing file."),
                new("options", ["--options"], "Create options of a target or of create and amend: NAME=VALUE[,...]."),
                new("sourceSecret", ["--source-secret"], "Name of the secret that nodes have the source's password in, where it is encrypted."),
                new("targetSecret", ["--target-secret"], "The same for the target, the second image or the backing file."),
                new("size", ["--size"], "Of create and resize: bytes of the guest's disk."),
                new("snapshot", ["--snapshot"], "Of a snapshot's operations: its name."),
                new("force", ["--force"], "Replace (create), shrink (resize), repair errors too (repair).", Hints: ["true"]),
                new("compress", ["-c", "--compress"], "Compress the target.", Hints: ["true"]),
                new("verify", ["--verify"], "How a target is read back.", Hints: ["compare", "digest", "none"]),
                new("noDigest", ["--no-digest"], "Take no digest of what the guest sees.", Hints: ["true"]),
                new("unsafe", ["-u", "--unsafe"], "Of a rebase: change the name only.", Hints: ["true"]),
                new("priority", ["-p", "--priority"], "0 (last) to 100 (first); 50 otherwise."),
                new("id", ["-i", "--id"], "What it shall be called by; the node chooses otherwise."),
            ],
            SubmitAsync),
        new("pause", "Starts nothing new of a job; what is in work is finished.", [Id], ActAsync(ActionKind.Pause)),
        new("resume", "Goes on with a paused job.", [Id], ActAsync(ActionKind.Resume)),
        new("cancel", "Ends a job; an unfinished target is removed.", [Id], ActAsync(ActionKind.Cancel)),
        new("retry", "Submits a job that failed or was cancelled once more, under a new id.", [Id], ActAsync(ActionKind.Retry)),
    ]);

    private static async Task<string> ListAsync(OperatorCall call, CancellationToken cancel)
    {
        ListQuery query = CommonArguments.Query(call.Arguments);
        JobList list = await call.Cluster.ListJobsAsync(query, cancel).ConfigureAwait(false);
        var table = new TextTable("ID", "OPERATION", "STATE", "STAGE", ">SHARDS", ">READ", "SUBMITTED", "REASON");
        foreach (JobDocument job in list.Items)
        {
            table.Add(job.Id, job.Operation, job.State, job.Stage ?? "", Shards(job), FactText.Bytes(job.BytesRead), FactText.Time(job.SubmittedAt), job.Reason ?? "");
        }

        return table.ToText("no jobs") + CommonArguments.More(query, list.Items.Count, list.Total);
    }

    private static async Task<string> ShowAsync(OperatorCall call, CancellationToken cancel) =>
        Describe(await call.Cluster.GetJobAsync(call.Arguments.Get("id"), cancel).ConfigureAwait(false));

    private static async Task<string> SubmitAsync(OperatorCall call, CancellationToken cancel)
    {
        var submission = new JobSubmission
        {
            Id = call.Arguments.Find("id"),
            Spec = SpecOf(call.Arguments) with { Secrets = SecretsOf(call.Arguments) },
            Priority = (int)call.Arguments.GetNumber("priority", 50, 0, 100),
            By = call.By,
        };
        JobDocument job = await call.Cluster.SubmitJobAsync(submission, cancel).ConfigureAwait(false);
        return $"submitted as {job.Id}\n{Describe(job)}";
    }

    private static JobSpecDocument SpecOf(OperatorArguments arguments)
    {
        string source = arguments.Get("source");
        string? sourceFormat = arguments.Find("sourceFormat");
        string? target = arguments.Find("target");
        string? targetFormat = arguments.Find("targetFormat");
        string operation = arguments.Get("operation");
        string Needed(string? value, string name) => value ?? throw OperatorArguments.Invalid($"{operation} needs {name}");
        return operation switch
        {
            ConvertSpecDocument.Operation => new ConvertSpecDocument
            {
                Source = source,
                SourceFormat = sourceFormat,
                Target = Needed(target, "--target"),
                TargetFormat = Needed(targetFormat, "--target-format"),
                Options = Options(arguments.Find("options")),
                Compress = arguments.GetFlag("compress"),
                Verify = arguments.Find("verify"),
                Digest = arguments.GetFlag("noDigest") ? false : null,
            },
            CompareSpecDocument.Operation => new CompareSpecDocument
            {
                First = source,
                FirstFormat = sourceFormat,
                Second = Needed(target, "--target"),
                SecondFormat = targetFormat,
            },
            CommitSpecDocument.Operation => new CommitSpecDocument { Top = source, TopFormat = sourceFormat, Base = target },
            RebaseSpecDocument.Operation => new RebaseSpecDocument
            {
                Image = source,
                Format = sourceFormat,
                Backing = target,
                BackingFormat = targetFormat,
                Unsafe = arguments.GetFlag("unsafe"),
            },
            "create" or "resize" or "amend" or "snapshotCreate" or "snapshotDelete" or "snapshotApply" or "repair" => new ChangeSpecDocument
            {
                Image = source,
                Format = sourceFormat,
                Change = operation,
                Size = arguments.Find("size") is null ? null : arguments.GetNumber("size", 0, 0, long.MaxValue),
                Snapshot = arguments.Find("snapshot"),
                Options = Options(arguments.Find("options")),
                Backing = target,
                BackingFormat = targetFormat,
                Force = arguments.GetFlag("force"),
            },
            _ => throw OperatorArguments.Invalid($"operation '{operation}' is not known"),
        };
    }

    private static Dictionary<string, string>? SecretsOf(OperatorArguments arguments)
    {
        var secrets = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string image, string secret) in new[] { ("source", "sourceSecret"), ("target", "targetSecret") })
        {
            if (arguments.Find(secret) is { } name)
            {
                secrets[arguments.Get(image)] = name;
            }
        }

        return secrets.Count == 0 ? null : secrets;
    }

    private static Dictionary<string, string>? Options(string? text) => text?
        .Split(',', StringSplitOptions.RemoveEmptyEntries)
        .Select(option => option.Split('=', 2))
        .DistinctBy(option => option[0])
        .ToDictionary(option => option[0], option => option.Length > 1 ? option[1] : "on");

    private static Func<OperatorCall, CancellationToken, Task<string>> ActAsync(ActionKind action) => async (call, cancel) =>
        Describe(await call.Cluster.ActOnJobAsync(call.Arguments.Get("id"), action, new ActionRequest(call.By), cancel).ConfigureAwait(false));

    private static string Shards(JobDocument job) => job.Shards > 0 ? $"{job.ShardsDone}/{job.Shards}" : "";

    private static string Describe(JobDocument job)
    {
        var text = new List<string>
        {
            new TextFacts()
                .Add("id", job.Id)
                .Add("operation", job.Operation)
                .Add("images", Images(job.Spec))
                .Add("migration", job.Migration)
                .Add("state", job.State)
                .Add("stage", job.Stage)
                .AddIf(job.Shards > 0, "shards", $"{job.ShardsDone} of {job.Shards} done, {job.ShardsInWork} in work")
                .Add("priority", FactText.Number(job.Priority))
                .Add("submitted", FactText.Time(job.SubmittedAt))
                .Add("ended", FactText.Time(job.EndedAt))
                .Add("read", FactText.Bytes(job.BytesRead))
                .Add("written", FactText.Bytes(job.BytesWritten))
                .Add("digest", job.Digest)
                .AddIf(job.FirstDifference is not null, "differs at", FactText.Number(job.FirstDifference ?? 0))
                .Add("reason", job.Reason)
                .ToString(),
        };
        if (job.Assignments.Count > 0)
        {
            var table = new TextTable(">TOKEN", "WORKER", ">SHARDS", "SINCE");
            foreach (AssignmentDocument assignment in job.Assignments)
            {
                table.Add(FactText.Number(assignment.Token), assignment.Worker, FactText.Number(assignment.Shards), FactText.Time(assignment.StartedAt));
            }

            text.Add(table.ToText(""));
        }

        if (job.Troubles.Count > 0)
        {
            var table = new TextTable(">SHARD", ">FAILED", ">LOST", "LAST REASON");
            foreach (TroubleDocument trouble in job.Troubles)
            {
                table.Add(FactText.Number(trouble.Shard), FactText.Number(trouble.Failures), FactText.Number(trouble.Losses), trouble.Reason);
            }

            text.Add(table.ToText(""));
        }

        return string.Join("\n\n", text);
    }

    private static string? Images(JobSpecDocument? spec) => spec switch
    {
        ConvertSpecDocument convert => $"{convert.Source} to {convert.Target} ({convert.TargetFormat})",
        CompareSpecDocument compare => $"{compare.First} with {compare.Second}",
        CommitSpecDocument commit => $"{commit.Top} into {commit.Base ?? "its backing file"}",
        RebaseSpecDocument rebase => $"{rebase.Image} onto {rebase.Backing ?? "nothing"}",
        ChangeSpecDocument change => change.Image,
        _ => null,
    };
}
