namespace ImageCluster.Jobs.Manifests;

/// <summary>The manifest's JSON Schema (docs/manifest.schema.json), for editors and for whoever checks manifests without this program.</summary>
public static class ManifestSchema
{
    public static string Text
    {
        get
        {
            using Stream stream = typeof(ManifestSchema).Assembly.GetManifestResourceStream("manifest.schema.json")
                ?? throw new InvalidOperationException("The schema is not in the assembly.");
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
    }
}
