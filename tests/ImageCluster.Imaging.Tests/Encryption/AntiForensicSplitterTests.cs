using ImageCluster.Imaging.Encryption;

namespace ImageCluster.Imaging.Tests.Encryption;

public sealed class AntiForensicSplitterTests
{
    [Theory]
    [InlineData("sha1", 32)]
    [InlineData("sha256", 16)]
    [InlineData("sha256", 64)]
    [InlineData("sha512", 64)]
    [InlineData("sha512", 24)]
    public void MergesWhatItSplit(string digestName, int keyLength)
    {
        DigestAlgorithm digest = DigestAlgorithm.Find(digestName)!;
        byte[] key = new byte[keyLength];
        new Random(keyLength).NextBytes(key);
        byte[] material = new byte[keyLength * 40];
        AntiForensicSplitter.Split(digest, key, material);
        byte[] merged = new byte[keyLength];
        AntiForensicSplitter.Merge(digest, material, merged);
        Assert.Equal(key, merged);

        // One bit of any stripe changes the key.
        material[keyLength * 7] ^= 1;
        AntiForensicSplitter.Merge(digest, material, merged);
        Assert.NotEqual(key, merged);
    }

    // Two stripes of zeros: the key is the diffusion of zeros, SHA-256(index, zeros) for each digest-sized piece, the last cut short.
    [Fact]
    public void DiffusesByNumberedHashes()
    {
        byte[] key = new byte[40];
        AntiForensicSplitter.Merge(DigestAlgorithm.Sha256, new byte[80], key);
        byte[] first = System.Security.Cryptography.SHA256.HashData(new byte[36]);
        byte[] second = System.Security.Cryptography.SHA256.HashData([0, 0, 0, 1, .. new byte[8]]);
        Assert.Equal([.. first, .. second.AsSpan(0, 8)], key);
    }
}
