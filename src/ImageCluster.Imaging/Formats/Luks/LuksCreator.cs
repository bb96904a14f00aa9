using ImageCluster.Imaging.Encryption;
using ImageCluster.Imaging.Encryption.Luks;
using ImageCluster.Imaging.Formats.Filling;
using ImageCluster.Imaging.Storage;
using ImageCluster.Imaging.Storage.Native;

namespace ImageCluster.Imaging.Formats.Luks;

/// <summary>Makes LUKS images, empty or to be filled.</summary>
internal sealed class LuksCreator
{
    private const int SectorLength = SectorCipher.SectorLength;
    private const int ZeroChunk = 1 << 20;

    private readonly CreateRequest _request;
    private readonly LuksSettings _settings;
    private readonly byte[] _password;
    private readonly string _preallocation;

    /// <summary>Checks the options; nothing is made yet.</summary>
    public LuksCreator(CreateRequest request)
    {
        _request = request;
        _settings = LuksSettings.Read(request.Options, "", request.FileName);
        _preallocation = new OptionReader(request.Options, request.FileName).Choice("preallocation", "off", "off", "metadata", "falloc", "full");
        _password = Passwords.Require(request.Secret, "key-secret", request.FileName);
        _settings.RequireUsable();
        if (request.VirtualSize < 0 || request.VirtualSize > long.MaxValue - SectorLength - _settings.HeaderLength)
        {
            throw new ImageException(ImageErrorKind.Limit, request.FileName, "The requested file size is too large");
        }
    }

    private long RoundedSize => (_request.VirtualSize + SectorLength - 1) & -SectorLength;

    /// <summary>An empty image: its disk reads as noise, as with QEMU, because nothing was ever encrypted.</summary>
    public IBlockFile Create()
    {
        IBlockFile file = MakeFile(_settings.HeaderLength + _request.VirtualSize);
        try
        {
            WriteHeader(file, unfinished: false).Dispose();
            Preallocate(file);
            return file;
        }
        catch
        {
            Discard(file);
            throw;
        }
    }

    public IFillTarget CreateFill()
    {
        IBlockFile file = MakeFile(_settings.HeaderLength + RoundedSize);
        try
        {
            LuksVolume volume = WriteHeader(file, unfinished: true);
            Preallocate(file);

            // Whoever opens the target too finds the key there.
            file.Flush();
            return new LuksFill(file, volume, RoundedSize);
        }
        catch
        {
            Discard(file);
            throw;
        }
    }

    public IFillTarget OpenFill()
    {
        IBlockFile file = _request.Locator.Open(_request.FileName, _request.Mode with { Role = FileRole.Raw });
        try
        {
            LuksVolume volume = LuksVolume.Open(file, 0, long.MaxValue, unfinished: true);
            volume.Unlock(_password);
            return new LuksFill(file, volume, RoundedSize);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private IBlockFile MakeFile(long length)
    {
        IBlockFile file = CreateFile(length);
        if (file.Length >= length)
        {
            return file;
        }

        file.Dispose();
        throw new ImageException(ImageErrorKind.NoSpace, _request.FileName, "Device is too small for the image");
    }

    private IBlockFile CreateFile(long length)
    {
        try
        {
            return _request.Locator.Create(_request.FileName, length, _request.Mode with { Role = FileRole.Raw });
        }
        catch (ImageException e) when (e.Errno == Errno.FBig)
        {
            Delete();
            throw new ImageException(ImageErrorKind.Limit, _request.FileName, "The requested file size is too large", e);
        }
    }

    private LuksVolume WriteHeader(IBlockFile file, bool unfinished)
    {
        try
        {
            return LuksVolume.Create(file, 0, _settings, _password, unfinished);
        }
        catch (ImageException e)
        {
            throw e.In("Could not write encryption header");
        }
    }

    private void Discard(IBlockFile file)
    {
        bool isFile = file.CanResize;
        file.Dispose();
        if (isFile)
        {
            Delete();
        }
    }

    private void Delete()
    {
        try
        {
            _request.Locator.Delete(_request.FileName);
        }
        catch (ImageException)
        {
            // The failure that led here is the one to report.
        }
    }

    private void Preallocate(IBlockFile file)
    {
        long start = _settings.HeaderLength;
        long end = start + _request.VirtualSize;
        if (end == start || !file.CanResize)
        {
            return;
        }

        Preallocating.Run(_preallocation, "", file, () => Occupy(file, start, end));
    }

    private void Occupy(IBlockFile file, long start, long end)
    {
        if (_preallocation == "falloc")
        {
            file.Allocate(start, end - start);
        }
        else if (_preallocation == "full")
        {
            byte[] zeros = new byte[Math.Min(end - start, ZeroChunk)];
            for (long at = start; at < end; at += zeros.Length)
            {
                file.Write(at, zeros.AsSpan(0, (int)Math.Min(zeros.Length, end - at)));
            }
        }
    }
}
