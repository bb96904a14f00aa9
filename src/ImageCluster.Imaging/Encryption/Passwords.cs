namespace ImageCluster.Imaging.Encryption;

/// <summary>How a secret is asked for and taken.</summary>
internal static class Passwords
{
    /// <summary>Asks for a password.</summary>
    /// <param name="secret">Gives the secret of an option, or null.</param>
    /// <param name="option">The option that names it, e.g. <c>encrypt.key-secret</c>.</param>
    /// <param name="file">For the message.</param>
    /// <exception cref="ImageException">None was given.</exception>
    public static byte[] Require(Func<string, byte[]?> secret, string option, string? file) =>
        secret(option) ?? throw new ImageException(ImageErrorKind.Secret, file, $"Parameter '{option}' is required for cipher");

    /// <summary>QEMU takes a password as a C string: up to its first zero byte.</summary>
    public static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> password)
    {
        int end = password.IndexOf((byte)0);
        return end < 0 ? password : password[..end];
    }
}
