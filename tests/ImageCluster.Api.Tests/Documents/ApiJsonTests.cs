using System.Text.Json;
using ImageCluster.Api.Documents;

namespace ImageCluster.Api.Tests.Documents;

public sealed class ApiJsonTests
{
    [Fact]
    public void A_jobs_operation_may_stand_anywhere_in_its_spec()
    {
        JobSubmission read = JsonSerializer.Deserialize(
            """{"spec":{"source":"v:a","target":"k:a","operation":"convert","targetFormat":"qcow2"},"priority":7}""", ApiJson.Default.JobSubmission)!;
        Assert.Equal(new ConvertSpecDocument { Source = "v:a", Target = "k:a", TargetFormat = "qcow2" }, read.Spec);
        Assert.Equal(7, read.Priority);
    }

    [Theory]
    [InlineData("""{"operation":"convert","source":"v:a","target":"k:a","targetFormat":"raw","compress":false,"replace":false}""")]
    [InlineData("""{"operation":"compare","first":"v:a","second":"k:a","strict":true}""")]
    [InlineData("""{"operation":"commit","top":"v:a","base":"v:b","keepTop":false}""")]
    [InlineData("""{"operation":"change","image":"v:a","change":"resize","size":1073741824,"force":true}""")]
    [InlineData("""{"operation":"rebase","image":"v:a","unsafe":true}""")]
    public void Specs_are_written_as_they_are_read(string json) =>
        Assert.Equal(json, JsonSerializer.Serialize(JsonSerializer.Deserialize(json, ApiJson.Default.JobSpecDocument)!, ApiJson.Default.JobSpecDocument));

    [Theory]
    [InlineData("""{"spec":{"operation":"shrink"}}""")]
    [InlineData("""{"spec":{"operation":"convert","source":"v:a"}}""")]
    [InlineData("""{"spec":{"operation":"commit","top":null}}""")]
    [InlineData("""{"priority":7}""")]
    public void What_is_not_a_job_is_refused(string json) =>
        Assert.ThrowsAny<Exception>(() => JsonSerializer.Deserialize(json, ApiJson.Default.JobSubmission));

    [Fact]
    public void A_client_reads_what_a_newer_node_says_and_a_node_refuses_what_it_does_not_know()
    {
        const string Json = """{"manifest":"x","prioritty":7}""";
        Assert.Equal("x", JsonSerializer.Deserialize(Json, ApiJson.Default.MigrationSubmission)!.Manifest);
        JsonException e = Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(Json, ApiJsonForms.Strict.MigrationSubmission));
        Assert.Contains("prioritty", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_written_where_there_is_no_value()
    {
        string json = JsonSerializer.Serialize(new ReleaseRequest { Token = 4, Reason = "r" }, ApiJson.Default.ReleaseRequest);
        Assert.Equal("""{"token":4,"reason":"r"}""", json);
        Assert.Contains("\n  \"reason\": \"größer\"", JsonSerializer.Serialize(new ReleaseRequest { Token = 4, Reason = "größer" }, ApiJsonForms.Indented.ReleaseRequest),
            StringComparison.Ordinal);
    }
}
