using ImageCluster.Imaging.Storage;

namespace ImageCluster.Testing.Storage;

/// <summary>
/// Hands out the files of another locator through a wrapper. Locators nest, so wrappers combine: a failing file in front of a
/// recording one in front of memory.
/// </summary>
public sealed class FakeLocator(IFileLocator inner, Func<IBlockFile, IBlockFile> wrap) : IFileLocator
{
    /// <summary>Every file counts into <paramref name="counts"/>.</summary>
    public static FakeLocator Counting(IFileLocator inner, CallCounts counts) => new(inner, file => new CountingFile(file, counts));

    /// <summary>Every file fails as the one plan says.</summary>
    public static FakeLocator Failing(IFileLocator inner, FaultPlan plan) => new(inner, file => new FailingFile(file, plan));

    public IBlockFile Open(string name, OpenMode mode) => wrap(inner.Open(name, mode));

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false) => wrap(inner.Create(name, length, mode, mustBeNew));

    public bool Exists(string name) => inner.Exists(name);

    public string Combine(string referrer, string reference) => inner.Combine(referrer, reference);

    public string Canonical(string name) => inner.Canonical(name);

    public void Delete(string name) => inner.Delete(name);
}
