using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs.Plans;

/// <summary>
/// Makes a plan from a manifest and from facts that the caller found out, in two steps: <see cref="Assign"/> names the targets, so that
/// the caller can look what stands there; <see cref="Plan"/> decides.
/// </summary>
public static class MigrationPlanner
{
    /// <param name="manifest">The manifest.</param>
    /// <param name="sources">The selected images, each once, in the order in which they are to be listed.</param>
    public static IReadOnlyList<TargetAssignment> Assign(MigrationManifest manifest, IEnumerable<SourceFacts> sources) =>
        [.. sources.Select(source => AssignOne(manifest.Target, source))];

    /// <param name="manifest">The manifest.</param>
    /// <param name="assignments">What <see cref="Assign"/> gave.</param>
    /// <param name="targets">What stands at each assigned target.</param>
    /// <param name="freeBytes">Free space for targets, or null where it is not known.</param>
    public static MigrationPlan Plan(
        MigrationManifest manifest,
        IReadOnlyList<TargetAssignment> assignments,
        IReadOnlyDictionary<ImageName, TargetFacts> targets,
        long? freeBytes)
    {
        var planning = new Planning(manifest, assignments, targets);
        List<PlannedImage> images = BasesFirst(planning.Images());
        var plan = new MigrationPlan { Images = images, Refusals = planning.Refusals, FreeBytes = freeBytes };
        var refusals = new List<PlanRefusal>(planning.Refusals);
        if (images.Count == 0)
        {
            refusals.Add(new PlanRefusal(PlanRefusalKind.NothingToDo, "no image matches the manifest's sources",
                "look at the roots and the include and exclude patterns"));
        }

        if (freeBytes is { } free && plan.TotalEstimatedBytes > free)
        {
            refusals.Add(new PlanRefusal(PlanRefusalKind.NoSpace,
                $"the targets need up to {plan.TotalEstimatedBytes:#,0} bytes and root '{manifest.Target.Root}' has {free:#,0} free",
                "free space, choose another target root, or migrate fewer images at a time"));
        }

        return plan with { Refusals = refusals };
    }

    private static TargetAssignment AssignOne(TargetDefinition target, SourceFacts source)
    {
        string path = target.Name.Expand(source.Image, target.Format);
        return ImageName.PathProblem(path) is { } problem
            ? new TargetAssignment(source, null, $"the target's name '{path}' {problem}")
            : new TargetAssignment(source, new ImageName(target.Root.Text, path), null);
    }

    // A stable order in which each image comes behind its base; a chain has no loop, which opening it has made sure of.
    private static List<PlannedImage> BasesFirst(List<PlannedImage> images)
    {
        var byTarget = images.Where(image => image.Target is not null && image.Action == PlanAction.Convert)
            .GroupBy(image => image.Target!).ToDictionary(group => group.Key, group => group.First());
        var ordered = new List<PlannedImage>(images.Count);
        var placed = new HashSet<PlannedImage>(ReferenceEqualityComparer.Instance);
        foreach (PlannedImage image in images)
        {
            var waiting = new Stack<PlannedImage>();
            for (PlannedImage? next = image; next is not null && placed.Add(next);
                next = next.BackingTarget is null ? null : byTarget.GetValueOrDefault(next.BackingTarget))
            {
                waiting.Push(next);
            }

            ordered.AddRange(waiting);
        }

        return ordered;
    }

    /// <summary>The decisions over one set of facts.</summary>
    private sealed class Planning
    {
        private readonly MigrationManifest _manifest;
        private readonly IReadOnlyList<TargetAssignment> _assignments;
        private readonly IReadOnlyDictionary<ImageName, TargetFacts> _targets;

        /// <summary>Files that the migration reads, and the image for which it does.</summary>
        private readonly Dictionary<string, ImageName> _read = new(StringComparer.Ordinal);

        /// <summary>Files that are parts of an image without being one (extent files), and that image.</summary>
        private readonly Dictionary<string, ImageName> _parts = new(StringComparer.Ordinal);

        private readonly Dictionary<string, TargetAssignment> _bySource = new(StringComparer.Ordinal);
        private readonly Dictionary<string, TargetAssignment> _byTarget = new(StringComparer.Ordinal);

        public Planning(
            MigrationManifest manifest, IReadOnlyList<TargetAssignment> assignments, IReadOnlyDictionary<ImageName, TargetFacts> targets)
        {
            _manifest = manifest;
            _assignments = assignments;
            _targets = targets;
            foreach (TargetAssignment assignment in assignments)
            {
                SourceFacts source = assignment.Source;
                _read.TryAdd(source.Identity, source.Image);
                _bySource.TryAdd(source.Identity, assignment);
                foreach (string file in source.Chain.Select(layer => layer.Identity).Concat(source.OtherFiles))
                {
                    _read.TryAdd(file, source.Image);
                }

                foreach (string file in source.OtherFiles)
                {
                    _parts.TryAdd(file, source.Image);
                }
            }
        }

        public List<PlanRefusal> Refusals { get; } = [];

        public List<PlannedImage> Images()
        {
            List<PlannedImage> images = [.. _assignments.Select(Decide)];
            RefuseNestedTargets(images);
            return images;
        }

        private PlannedImage Decide(TargetAssignment assignment)
        {
            SourceFacts source = assignment.Source;
            var image = new PlannedImage
            {
                Source = source.Image,
                Target = assignment.Target,
                Action = PlanAction.Convert,
                SourceFormat = source.Format,
                SourceSecret = source.Secret,
                Chain = source.Chain,
                VirtualSize = source.VirtualSize,
                AllocatedBytes = source.AllocatedBytes,
                EstimatedBytes = source.MeasuredTargetBytes ??
                    TargetSizeEstimate.AtMost(_manifest.Target.Format, source.VirtualSize, source.AllocatedBytes),
            };
            if (_parts.TryGetValue(source.Identity, out ImageName? whole) && whole != source.Image)
            {
                return image with { Action = PlanAction.Skip, Reason = $"a part of {whole}" };
            }

            if (source.Problem is not null)
            {
                return image with { Action = PlanAction.Refuse, Reason = source.Problem };
            }

            if (source.Chain.Count > 0 && TargetSizeEstimate.Problem(_manifest.Target.Format, source.VirtualSize) is { } problem)
            {
                return image with { Action = PlanAction.Refuse, Reason = problem };
            }

            if (assignment.Target is not { } target)
            {
                Refusals.Add(new PlanRefusal(PlanRefusalKind.BadTargetName, $"{source.Image}: {assignment.Problem}",
                    "change 'target.name' or rename the source"));
                return image with { Action = PlanAction.Refuse, Reason = assignment.Problem };
            }

            return Decide(assignment, target, image);
        }

        private PlannedImage Decide(TargetAssignment assignment, ImageName target, PlannedImage image)
        {
            TargetFacts facts = _targets[target];
            if (_read.TryGetValue(facts.Identity, out ImageName? reader))
            {
                return Refused(image, PlanRefusalKind.TargetIsSource,
                    $"the target of {image.Source}, {target}, is a file that {(reader == image.Source ? "this image" : reader.ToString())} is read from",
                    "choose another target root or name pattern");
            }

            if (!_byTarget.TryAdd(facts.Identity, assignment))
            {
                return Refused(image, PlanRefusalKind.DuplicateTarget,
                    $"{_byTarget[facts.Identity].Source.Image} and {image.Source} have the same target {target}",
                    "use {path}, {root} or {ext} in 'target.name'");
            }

            if (facts.Problem is not null)
            {
                return Refused(image, PlanRefusalKind.TargetUnusable, $"the target of {image.Source}, {target}, cannot be written: {facts.Problem}",
                    "choose another target root or name pattern");
            }

            // Of a raw target every byte of the disk has its place.
            long needed = _manifest.Target.Format == "raw" ? image.VirtualSize : image.EstimatedBytes;
            if (facts.Capacity < needed)
            {
                return Refused(image, PlanRefusalKind.NoSpace, $"the target of {image.Source}, {target}, has {facts.Capacity:#,0} bytes and needs {needed:#,0}",
                    "make it larger, or choose another");
            }

            if (facts.Exists)
            {
                switch (_manifest.Target.Existing)
                {
                    case ExistingTarget.Skip:
                        return image with { Action = PlanAction.Skip, Reason = "the target is there already" };
                    case ExistingTarget.Fail:
                        return Refused(image, PlanRefusalKind.TargetExists, $"{target} is there already",
                            "set 'target.existing' to skip or replace, or choose another target");
                }
            }

            image = image with { Replaces = facts.Exists };
            return _manifest.Target.Backing == BackingChain.Keep && assignment.Source.Chain.Count > 1
                ? OnBase(image, assignment.Source.Chain[1])
                : image;
        }

        private PlannedImage OnBase(PlannedImage image, ChainLayer baseLayer)
        {
            if (_bySource.TryGetValue(baseLayer.Identity, out TargetAssignment? below) && below.Target is { } target && below.Source.Problem is null)
            {
                return image with { BackingTarget = target };
            }

            return Refused(image, PlanRefusalKind.BaseNotMigrated,
                $"{image.Source} stands on '{baseLayer.Name}', which is not converted with it",
                "add the base to 'sources' or set 'target.backing' to flatten");
        }

        private PlannedImage Refused(PlannedImage image, PlanRefusalKind kind, string message, string hint)
        {
            Refusals.Add(new PlanRefusal(kind, message, hint));
            return image with { Action = PlanAction.Refuse, Reason = message };
        }

        // "a" and "a/b" cannot both be files.
        private void RefuseNestedTargets(List<PlannedImage> images)
        {
            Dictionary<string, PlannedImage> paths = new(StringComparer.Ordinal);
            foreach (PlannedImage image in images.Where(image => image is { Target: not null, Action: PlanAction.Convert }))
            {
                paths.TryAdd(image.Target!.Path, image);
            }

            for (int i = 0; i < images.Count; i++)
            {
                string path = images[i] is { Target: not null, Action: PlanAction.Convert } ? images[i].Target!.Path : "";
                for (int slash = path.LastIndexOf('/'); slash > 0; slash = path.LastIndexOf('/', slash - 1))
                {
                    if (paths.TryGetValue(path[..slash], out PlannedImage? file))
                    {
                        images[i] = Refused(images[i], PlanRefusalKind.DuplicateTarget,
                            $"the target of {images[i].Source}, {images[i].Target}, needs a directory where the target of {file.Source} is a file",
                            "change 'target.name'");
                        break;
                    }
                }
            }
        }
    }
}
