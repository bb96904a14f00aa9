using ImageCluster.Jobs.Manifests;

namespace ImageCluster.Jobs;

/// <summary>What the password of an encrypted image is called by, in manifests and jobs. It is a file's name too, so it has none of a path's characters.</summary>
public static class SecretName
{
    /// <summary>What such a name is made of, for messages.</summary>
    public const string Rule = "letters, digits, '.', '_' and '-', at most 64, a letter or digit first";

    public static bool IsValid(string name) => RootReference.IsValidName(name);
}
