using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ImageCluster.Cli.Reports;

/// <summary>How JSON is written: names of files as they are, not escaped for HTML.</summary>
internal static class JsonOutput
{
    public static readonly JsonSerializerOptions Line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static readonly JsonSerializerOptions Indented = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = true };

    /// <summary>A whole document, indented, with a line end behind it.</summary>
    public static string Document(JsonNode node) => node.ToJsonString(Indented) + "\n";
}
