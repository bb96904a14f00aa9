using System.Text;
using ImageCluster.Imaging;
using ImageCluster.Jobs;
using Microsoft.Win32.SafeHandles;

namespace ImageCluster.Work.Secrets;

/// <summary>
/// Where this process finds the passwords of encrypted images: a file of the secret's name in a directory (as Kubernetes mounts secrets, and systemd
/// credentials), or a variable of the environment. They are read anew each time that one is needed, and kept nowhere.
/// </summary>
/// <param name="directory">Null for none.</param>
/// <param name="environment">The value of a variable, or null.</param>
public sealed class SecretStore(string? directory, Func<string, string?> environment)
{
    /// <summary>A file that is longer holds no password.</summary>
    public const int MaxLength = 64 << 10;

    /// <summary>What such variables are called, before the secret's name.</summary>
    public const string VariablePrefix = "IMAGECLUSTER_SECRET_";

    /// <summary>No secret is known.</summary>
    public static SecretStore None { get; } = new(null, static _ => null);

    /// <summary>The variable that stands for a secret: its name in capitals, with <c>_</c> for what no variable's name has.</summary>
    public static string VariableOf(string name) =>
        VariablePrefix + string.Concat(name.Select(static c => char.IsAsciiLetterOrDigit(c) ? char.ToUpperInvariant(c) : '_'));

    /// <summary>For an image whose secret has that name: its password, whatever the engine's format calls it.</summary>
    /// <param name="name">Empty for none.</param>
    public Func<string, byte[]?> For(string name) => name.Length == 0 ? static _ => null : _ => Get(name);

    /// <summary>As <see cref="For(string)"/>, where options of the form <c>...-secret</c> name further ones.</summary>
    public Func<string, byte[]?> For(string name, IReadOnlyDictionary<string, string> options) => option =>
        options.TryGetValue(option, out string? other) && other.Length > 0 ? Get(other) : name.Length == 0 ? null : Get(name);

    /// <summary>The password, byte for byte as the file has it: a line's end would be a part of it, as with qemu-img's <c>--object secret,file=</c>.</summary>
    /// <exception cref="ImageException">
    /// <see cref="ImageErrorKind.NotFound"/>: this process does not have it; <see cref="ImageErrorKind.Io"/>: the file cannot be read.
    /// </exception>
    public byte[] Get(string name)
    {
        if (!SecretName.IsValid(name))
        {
            throw new ImageException(ImageErrorKind.InvalidArgument, null, $"'{name}' is not a name for a secret: {SecretName.Rule}");
        }

        if (directory is not null && Path.Join(directory, name) is var file && File.Exists(file))
        {
            return Read(file);
        }

        return environment(VariableOf(name)) is { } value
            ? Encoding.UTF8.GetBytes(value)
            : throw new ImageException(ImageErrorKind.NotFound, null, $"There is no secret '{name}' here")
            {
                Hint = directory is null
                    ? $"State the directory of secrets, or set {VariableOf(name)}."
                    : $"Put it into {Path.Join(directory, name)}, or set {VariableOf(name)}.",
            };
    }

    private static byte[] Read(string file)
    {
        try
        {
            using SafeFileHandle handle = File.OpenHandle(file);
            byte[] buffer = new byte[Math.Min(RandomAccess.GetLength(handle), MaxLength + 1)];
            int length = 0;
            while (length < buffer.Length && RandomAccess.Read(handle, buffer.AsSpan(length), length) is > 0 and var read)
            {
                length += read;
            }

            return length <= MaxLength
                ? buffer[..length]
                : throw new ImageException(ImageErrorKind.Limit, file, $"A password is no longer than {MaxLength:#,0} bytes");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ImageException(ImageErrorKind.Io, file, $"The secret cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }
}
