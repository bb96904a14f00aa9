using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;
using ImageCluster.Imaging;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;
using ImageCluster.QemuImg.Images;

namespace ImageCluster.QemuImg.CommandLine;

/// <summary>The secrets that <c>--object secret,...</c> defines, by their ids; and the TLS credentials.</summary>
internal sealed class SecretStore
{
    private const string TlsType = "tls-creds-x509";

    private static readonly string[] OtherTypes =
    [
        "authz-list", "authz-simple", "main-loop", "pr-manager-helper", "secret_keyring", "thread-context",
        "throttle-group", "tls-cipher-suites", "tls-creds-anon", "tls-creds-psk", TlsType,
    ];

    private static readonly string[] Properties = ["data", "file", "format", "iv", "keyid"];

    private readonly Dictionary<string, byte[]> _secrets = [];
    private readonly HashSet<string> _throttleGroups = [];
    private readonly TlsCredentialStore _tls = new();

    /// <summary>How an engine's driver asks for a secret: by the name of the option that holds the secret's id.</summary>
    /// <param name="options">The driver's options.</param>
    /// <param name="file">The image, for messages.</param>
    public Func<string, byte[]?> Lookup(IReadOnlyDictionary<string, string> options, string file) => optionName =>
    {
        if (!options.TryGetValue(optionName, out string? id))
        {
            return null;
        }

        if (!_secrets.TryGetValue(id, out byte[]? secret))
        {
            throw new ImageException(ImageErrorKind.Secret, file, $"No secret with id '{id}'");
        }

        return Utf8.IsValid(secret) ? secret : throw new ImageException(ImageErrorKind.Secret, file, $"Data from secret {id} is not valid UTF-8");
    };

    /// <summary>The secret of that id, or null.</summary>
    public byte[]? Find(string id) => _secrets.GetValueOrDefault(id);

    /// <summary>True where a throttle group of that id was defined. It limits nothing: what qemu-img does is no guest's load.</summary>
    public bool HasThrottleGroup(string id) => _throttleGroups.Contains(id);

    /// <summary>The TLS credentials of that id.</summary>
    /// <exception cref="ImageException">There are none.</exception>
    public TlsCredentials TlsCredentials(string id) => _tls.Get(id, _secrets.ContainsKey(id));

    /// <summary>Takes the argument of one <c>--object</c>: an option string or JSON. False where it only asked for help, which is printed.</summary>
    public bool TryDefine(string definition, TextWriter output)
    {
        bool isJson = definition.StartsWith('{');
        if (!isJson && KeyValueText.AsksForHelp(definition))
        {
            WriteHelp(definition, output);
            return false;
        }

        Define(isJson ? ReadJson(definition) : Read(definition));
        return true;
    }

    private static Dictionary<string, string> Read(string text)
    {
        Dictionary<string, string> fields = [];
        foreach (KeyValueText.Item item in KeyValueText.Split(text, "qom-type"))
        {
            if (item.Name.Length == 0 || !(char.IsAsciiLetter(item.Name[0]) || item.Name[0] == '_'))
            {
                throw new CommandException($"Invalid parameter '{item.Name}'");
            }

            fields[item.Name] = item.Value ?? throw new CommandException($"Expected '=' after parameter '{item.Name}'");
        }

        return fields.Count > 0 ? fields : throw new CommandException("Parameter 'qom-type' is missing");
    }

    private static Dictionary<string, string> ReadJson(string text)
    {
        object? value;
        try
        {
            value = JsonReader.Parse(text);
        }
        catch (FormatException e)
        {
            throw new CommandException(e.Message);
        }

        return value is Dictionary<string, object?> members
            ? members.ToDictionary(static m => m.Key, static m => m.Value as string ?? Convert.ToString(m.Value) ?? "")
            : throw new CommandException("Invalid parameter type, expected: object");
    }

    private static void WriteHelp(string text, TextWriter output)
    {
        if (text.StartsWith("secret,", StringComparison.Ordinal))
        {
            output.Write("secret options:\n  data=<string>\n  file=<string>\n  format=<QCryptoSecretFormat>\n  iv=<string>\n  keyid=<string>\n");
        }
        else if (text.StartsWith(TlsType + ",", StringComparison.Ordinal))
        {
            output.Write("tls-creds-x509 options:\n  dir=<string>\n  endpoint=<QCryptoTLSCredsEndpoint>\n  passwordid=<string>\n" +
                "  priority=<string>\n  sanity-check=<bool>\n  verify-peer=<bool>\n");
        }
        else
        {
            output.Write("List of user creatable objects:\n  secret\n  tls-creds-x509\n");
        }
    }

    private void Define(Dictionary<string, string> fields)
    {
        if (!fields.Remove("qom-type", out string? type))
        {
            throw new CommandException("Parameter 'qom-type' is missing");
        }

        string? missing = null;
        if (type != "secret" && !OtherTypes.Contains(type) && !MachineObjects.Types.TryGetValue(type, out missing))
        {
            throw new CommandException($"Parameter 'qom-type' does not accept value '{type}'");
        }

        if (!fields.Remove("id", out string? id))
        {
            throw new CommandException("Parameter 'id' is missing");
        }

        bool isOfMachine = missing is not null;
        missing ??= MachineObjects.Required.GetValueOrDefault(type);
        if (missing?.Length > 0 && !fields.ContainsKey(missing))
        {
            throw new CommandException($"Parameter '{missing}' is missing");
        }

        if (isOfMachine)
        {
            throw new CommandException($"invalid object type: {type}");
        }

        if (type == TlsType && (_secrets.ContainsKey(id) || !_tls.TryDefine(id, fields, Find)))
        {
            throw Duplicate(id);
        }

        if (type == "throttle-group")
        {
            MachineObjects.CheckThrottling(fields);
        }

        if (type == "throttle-group" && !_throttleGroups.Add(id))
        {
            throw Duplicate(id);
        }

        if (type != "secret")
        {
            return;
        }

        CheckFields(fields, id);
        byte[] secret = ReadSecret(fields);
        if (_tls.Has(id) || !_secrets.TryAdd(id, secret))
        {
            throw Duplicate(id);
        }
    }

    private static CommandException Duplicate(string id) => new($"attempt to add duplicate property '{id}' to object (type 'container')");

    private static void CheckFields(Dictionary<string, string> fields, string id)
    {
        foreach (string name in fields.Keys)
        {
            if (!Properties.Contains(name))
            {
                int dot = name.IndexOf('.');
                throw new CommandException(dot > 0 && Properties.Contains(name[..dot])
                    ? $"Parameters '{name[..dot]}.*' are unexpected"
                    : $"Parameter '{(dot > 0 ? name[..dot] : name)}' is unexpected");
            }
        }

        if (fields.TryGetValue("format", out string? format) && format is not ("raw" or "base64"))
        {
            throw new CommandException($"Parameter 'format' does not accept value '{format}'");
        }

        bool isIdentifier = id.Length > 0 && char.IsAsciiLetter(id[0]) && id.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_');
        if (!isIdentifier)
        {
            throw new CommandException("Parameter 'id' expects an identifier")
            {
                Hint = "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.\n",
            };
        }
    }

    private byte[] ReadSecret(Dictionary<string, string> fields)
    {
        byte[] bytes = (fields.GetValueOrDefault("file"), fields.GetValueOrDefault("data")) switch
        {
            (null, null) => throw new CommandException("Either 'file' or 'data' must be provided"),
            (not null, not null) => throw new CommandException("'file' and 'data' are mutually exclusive"),
            ({ } file, _) => ReadFile(file),
            (_, { } data) => NameText.GetBytes(data),
        };
        bool isBase64 = fields.GetValueOrDefault("format") == "base64";
        if (fields.TryGetValue("keyid", out string? keyId))
        {
            return Decrypt(bytes, isBase64, keyId, fields.GetValueOrDefault("iv"));
        }

        if (fields.ContainsKey("iv"))
        {
            throw new CommandException("IV should not be set if keyid is not set");
        }

        return isBase64 ? FromBase64(bytes) : bytes;
    }

    private static byte[] ReadFile(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string reason = e switch
            {
                FileNotFoundException or DirectoryNotFoundException => "No such file or directory",
                UnauthorizedAccessException when Directory.Exists(path) => "Is a directory",
                UnauthorizedAccessException => "Permission denied",
                _ => e.Message,
            };
            throw new CommandException($"Unable to read {path}: Failed to open file “{path}”: {reason}");
        }
    }

    private byte[] Decrypt(byte[] bytes, bool isBase64, string keyId, string? iv)
    {
        if (!_secrets.TryGetValue(keyId, out byte[]? key))
        {
            throw new CommandException($"No secret with id '{keyId}'");
        }

        if (key.Length != 32)
        {
            throw new CommandException($"Key should be 32 bytes in length not {key.Length}");
        }

        byte[] vector = FromBase64(Encoding.ASCII.GetBytes(iv ?? throw new CommandException("IV is required to decrypt secret")));
        if (vector.Length != 16)
        {
            throw new CommandException($"IV should be 16 bytes in length not {vector.Length}");
        }

        byte[] cipherText = isBase64 ? FromBase64(bytes) : bytes;
        if (cipherText.Length == 0 || cipherText.Length % 16 != 0)
        {
            throw new CommandException($"Length {cipherText.Length} must be a multiple of block size 16");
        }

        try
        {
            using Aes aes = Aes.Create();
            aes.Key = key;
            return aes.DecryptCbc(cipherText, vector);
        }
        catch (CryptographicException)
        {
            throw new CommandException("Incorrect number of padding bytes found on decrypted data");
        }
    }

    private static byte[] FromBase64(byte[] text)
    {
        try
        {
            return Convert.FromBase64String(Encoding.ASCII.GetString(text));
        }
        catch (FormatException)
        {
            throw new CommandException("Base64 data contains invalid characters");
        }
    }
}
