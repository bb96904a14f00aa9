using System.Text.Json;
using System.Text.Json.Serialization;
using ImageCluster.Api.Documents;
using ImageCluster.Api.Operating;

namespace ImageCluster.Api;

/// <summary>How the documents are written as JSON: names in camel case, nothing where there is no value.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    AllowOutOfOrderMetadataProperties = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(MigrationSubmission))]
[JsonSerializable(typeof(MigrationDocument))]
[JsonSerializable(typeof(MigrationList))]
[JsonSerializable(typeof(MigrationImageList))]
[JsonSerializable(typeof(JobSubmission))]
[JsonSerializable(typeof(JobDocument))]
[JsonSerializable(typeof(JobList))]
[JsonSerializable(typeof(ImageDocument))]
[JsonSerializable(typeof(ImageList))]
[JsonSerializable(typeof(WorkerList))]
[JsonSerializable(typeof(QueueDocument))]
[JsonSerializable(typeof(ActionRequest))]
[JsonSerializable(typeof(ReleaseRequest))]
[JsonSerializable(typeof(ForgetDependentRequest))]
[JsonSerializable(typeof(ProblemDocument))]
[JsonSerializable(typeof(OperatorRequest))]
[JsonSerializable(typeof(OperatorAnswer))]
public sealed partial class ApiJson : JsonSerializerContext;
