using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>The TLS credentials that <c>--object tls-creds-x509,...</c> defines, by their ids.</summary>
internal sealed class TlsCredentialStore
{
    private static readonly string[] Properties = ["dir", "endpoint", "verify-peer", "priority", "sanity-check", "passwordid"];

    // Null for a server's, which are of no use here.
    private readonly Dictionary<string, TlsCredentials?> _credentials = [];

    /// <summary>Takes the properties of one object, without its type and id. False where the id is taken.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="fields">Its properties.</param>
    /// <param name="secret">A secret by its id, for an encrypted key.</param>
    public bool TryDefine(string id, Dictionary<string, string> fields, Func<string, byte[]?> secret)
    {
        foreach (string name in fields.Keys.Where(static name => !Properties.Contains(name)))
        {
            throw new CommandException($"Parameter '{name}' is unexpected");
        }

        string endpoint = fields.GetValueOrDefault("endpoint") ?? "client";
        if (endpoint is not ("client" or "server"))
        {
            throw new CommandException($"Parameter 'endpoint' does not accept value '{endpoint}'");
        }

        bool verifies = Flag(fields, "verify-peer");
        Flag(fields, "sanity-check");
        string directory = fields.GetValueOrDefault("dir") ?? throw new CommandException("Missing 'dir' property value");
        string? password = fields.GetValueOrDefault("passwordid") is not { } key ? null
            : secret(key) is { } bytes ? System.Text.Encoding.UTF8.GetString(bytes)
            : throw new CommandException($"No secret with id '{key}'");
        try
        {
            return _credentials.TryAdd(id, endpoint == "server" ? null : TlsCredentials.Load(directory, verifies, password));
        }
        catch (ImageException e)
        {
            throw new CommandException(e.Message);
        }
    }

    public bool Has(string id) => _credentials.ContainsKey(id);

    /// <summary>The credentials of that id.</summary>
    /// <param name="id">The id.</param>
    /// <param name="isOther">The id is that of another kind of object.</param>
    public TlsCredentials Get(string id, bool isOther)
    {
        if (!_credentials.TryGetValue(id, out TlsCredentials? found))
        {
            throw Wrong(isOther ? $"Object with id '{id}' is not TLS credentials" : $"No TLS credentials with id '{id}'");
        }

        return found ?? throw Wrong("Expected TLS credentials for a client endpoint");
    }

    private static bool Flag(Dictionary<string, string> fields, string name) => fields.GetValueOrDefault(name) switch
    {
        null or "on" or "yes" or "true" or "y" => true,
        "off" or "no" or "false" or "n" => false,
        _ => throw new CommandException($"Parameter '{name}' expects 'on' or 'off'"),
    };

    private static ImageException Wrong(string message) => new(ImageErrorKind.Secret, null, message);
}
