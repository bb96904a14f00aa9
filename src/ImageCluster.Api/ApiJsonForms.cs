using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ImageCluster.Api;

/// <summary>The documents as JSON for other occasions than <see cref="ApiJson.Default"/>.</summary>
public static class ApiJsonForms
{
    /// <summary>For requests: a member that is not known is an error, since it is a typing mistake.</summary>
    public static ApiJson Strict { get; } = new(new JsonSerializerOptions(ApiJson.Default.Options)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    });

    /// <summary>For people: indented, and names of files as they are.</summary>
    public static ApiJson Indented { get; } = new(new JsonSerializerOptions(ApiJson.Default.Options)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
