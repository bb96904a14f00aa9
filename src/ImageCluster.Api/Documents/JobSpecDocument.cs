using System.Text.Json.Serialization;

namespace ImageCluster.Api.Documents;

/// <summary>
/// What a job is to do. Images are <c>root:path</c>; formats are names as qemu-img says them, null where they are to be probed.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "operation")]
[JsonDerivedType(typeof(ConvertSpecDocument), ConvertSpecDocument.Operation)]
[JsonDerivedType(typeof(CompareSpecDocument), CompareSpecDocument.Operation)]
[JsonDerivedType(typeof(CommitSpecDocument), CommitSpecDocument.Operation)]
[JsonDerivedType(typeof(RebaseSpecDocument), RebaseSpecDocument.Operation)]
[JsonDerivedType(typeof(ChangeSpecDocument), ChangeSpecDocument.Operation)]
public abstract record JobSpecDocument
{
    /// <summary>Names of the secrets that nodes have the passwords of encrypted images in, by image; null for none.</summary>
    public IReadOnlyDictionary<string, string>? Secrets { get; init; }
}
