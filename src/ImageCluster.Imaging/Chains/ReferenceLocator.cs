using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Protocols;

namespace ImageCluster.Imaging.Chains;

/// <summary>How files that an image's metadata names are reached: those only whose protocol the chain's policy allows.</summary>
internal sealed class ReferenceLocator(IFileLocator inner, ProtocolPolicy policy) : IFileLocator
{
    public IBlockFile Open(string name, OpenMode mode)
    {
        policy.Require(name);
        return inner.Open(name, mode);
    }

    public IBlockFile Create(string name, long length, OpenMode mode, bool mustBeNew = false)
    {
        policy.Require(name);
        return inner.Create(name, length, mode, mustBeNew);
    }

    public bool Exists(string name)
    {
        policy.Require(name);
        return inner.Exists(name);
    }

    public string Combine(string referrer, string reference) => inner.Combine(referrer, reference);

    public string Canonical(string name) => inner.Canonical(name);

    public void Delete(string name)
    {
        policy.Require(name);
        inner.Delete(name);
    }
}
