using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace ImageCluster.Imaging.Storage.Archives;

/// <summary>Holds an appliance's files against its manifest of digests (<c>.mf</c>: lines like <c>SHA256(disk1.vmdk)= 12ab...</c>).</summary>
public static class OvaVerifier
{
    private const int MaxManifest = 1 << 20;
    private const int BufferLength = 1 << 20;

    /// <summary>Reads every file that the manifest names.</summary>
    /// <returns>What was found for each line, in the manifest's order, and for each file that no line names.</returns>
    /// <exception cref="ImageException">There is no manifest, or it cannot be taken apart.</exception>
    public static IReadOnlyList<OvaFinding> Verify(IBlockFile file, OvaArchive ova, CancellationToken cancel)
    {
        TarEntry manifest = ova.Manifest
            ?? throw new ImageException(ImageErrorKind.NotFound, file.Name, "The appliance has no manifest of digests");
        List<OvaFinding> findings = [];
        HashSet<string> named = [];
        foreach (string line in Encoding.UTF8.GetString(OvaArchive.ReadMember(file, manifest, MaxManifest)).Split('\n', StringSplitOptions.TrimEntries))
        {
            if (line.Length == 0)
            {
                continue;
            }

            (HashAlgorithmName algorithm, string name, string digest) = Parse(line)
                ?? throw new ImageException(ImageErrorKind.Corrupt, file.Name, $"The manifest of digests cannot be taken apart at '{TarArchive.Shown(line)}'");
            named.Add(name);
            TarEntry? entry = ova.Archive.Entries.FirstOrDefault(e => e.Name == name && e.Kind == TarEntryKind.File);
            OvaVerdict verdict = entry is null ? OvaVerdict.Missing
                : Digest(file, entry, algorithm, cancel).Equals(digest, StringComparison.OrdinalIgnoreCase) ? OvaVerdict.Good
                : OvaVerdict.Different;
            findings.Add(new OvaFinding(name, algorithm.Name!, verdict));
        }

        findings.AddRange(ova.Archive.Entries
            .Where(entry => entry.Kind != TarEntryKind.Other && entry != manifest && !named.Contains(entry.Name) && !entry.Name.EndsWith(".cert", StringComparison.OrdinalIgnoreCase))
            .Select(static entry => new OvaFinding(entry.Name, "", OvaVerdict.NotNamed)));
        return findings;
    }

    private static (HashAlgorithmName Algorithm, string Name, string Digest)? Parse(string line)
    {
        int open = line.IndexOf('(', StringComparison.Ordinal);
        int close = line.LastIndexOf(")=", StringComparison.Ordinal);
        if (open <= 0 || close < open)
        {
            return null;
        }

        HashAlgorithmName? algorithm = line[..open].Trim().ToUpperInvariant() switch
        {
            "SHA1" => HashAlgorithmName.SHA1,
            "SHA256" => HashAlgorithmName.SHA256,
            "SHA384" => HashAlgorithmName.SHA384,
            "SHA512" => HashAlgorithmName.SHA512,
            _ => null,
        };
        return algorithm is { } known ? (known, line[(open + 1)..close], line[(close + 2)..].Trim()) : null;
    }

    private static string Digest(IBlockFile file, TarEntry entry, HashAlgorithmName algorithm, CancellationToken cancel)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(algorithm);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            for (long done = 0; done < entry.Length;)
            {
                cancel.ThrowIfCancellationRequested();
                int part = (int)Math.Min(entry.Length - done, BufferLength);
                file.ReadExactly(entry.Offset + done, buffer.AsSpan(0, part), $"'{TarArchive.Shown(entry.Name)}'");
                hash.AppendData(buffer, 0, part);
                done += part;
            }

            return Convert.ToHexString(hash.GetHashAndReset());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <param name="Name">The file.</param>
/// <param name="Algorithm">As in <c>SHA256</c>; empty for a file that the manifest does not name.</param>
/// <param name="Verdict">What came out.</param>
public sealed record OvaFinding(string Name, string Algorithm, OvaVerdict Verdict);

public enum OvaVerdict
{
    Good,

    /// <summary>The file's digest is another.</summary>
    Different,

    /// <summary>The manifest names a file that is not there.</summary>
    Missing,

    /// <summary>The file is there and the manifest does not name it.</summary>
    NotNamed,
}
