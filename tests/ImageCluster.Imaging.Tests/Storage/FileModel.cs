using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Imaging.Storage;

namespace ImageCluster.Imaging.Tests.Storage;

/// <summary>Random operations on a file and on a plain list of bytes; both must agree after each.</summary>
internal static class FileModel
{
    private const int MaxOffset = 40_000;
    private const int MaxLength = 20_000;

    private enum Kind
    {
        Write,
        ZeroUnmap,
        ZeroKeep,
        SetLength,
        Allocate,
        Discard,
        Flush,
        Read,
    }

    private sealed record Operation(Kind Kind, int Offset, int Length, byte Fill);

    /// <param name="open">Opens a new empty file, or one of fixed size.</param>
    public static void Check(Func<IBlockFile> open, int iterations)
    {
        // Borders of sectors and pages are where mistakes are: half of all numbers lie on one or next to it.
        Gen<int> offset = Near(MaxOffset);
        Gen<int> length = Near(MaxLength);
        Gen<Operation> operation = Gen.Select(Gen.Enum<Kind>(), offset, length, Gen.Byte, (k, o, l, f) => new Operation(k, o, l, f));
        operation.List[1, 25].Holds(operations => Run(open, operations), cases: iterations);
    }

    private static Gen<int> Near(int max) => Gen.OneOf(
        Gen.Int[0, max],
        Gen.Int[0, max / 512].Select(Gen.Int[-1, 1], (sector, delta) => Math.Max(0, sector * 512 + delta)),
        Gen.Int[0, max / 4096].Select(page => page * 4096));

    private static void Run(Func<IBlockFile> open, List<Operation> operations)
    {
        using IBlockFile file = open();
        byte[] model = new byte[file.Length];
        foreach (Operation operation in operations)
        {
            Apply(file, operation, ref model);
            Assert.Equal(model.Length, file.Length);
        }

        byte[] content = new byte[model.Length + 10];
        Assert.Equal(model.Length, file.Read(0, content));
        Assert.True(model.AsSpan().SequenceEqual(content.AsSpan(0, model.Length)), "content differs");
        CheckRanges(file, model);
    }

    private static void Apply(IBlockFile file, Operation operation, ref byte[] model)
    {
        (Kind kind, int offset, int length, byte fill) = operation;
        if (!file.CanResize)
        {
            offset = Math.Min(offset, model.Length);
            length = Math.Min(length, model.Length - offset);
        }

        switch (kind)
        {
            case Kind.Write:
                byte[] data = new byte[length];
                data.AsSpan().Fill(fill);
                file.Write(offset, data);
                Extend(ref model, offset, length);
                data.CopyTo(model, length == 0 ? 0 : offset);
                break;
            case Kind.ZeroUnmap or Kind.ZeroKeep:
                file.WriteZeroes(offset, length, kind == Kind.ZeroKeep ? ZeroMode.KeepAllocated : ZeroMode.MayUnmap);
                Extend(ref model, offset, length);
                model.AsSpan(Math.Min(offset, model.Length), length == 0 ? 0 : length).Clear();
                break;
            case Kind.SetLength when file.CanResize:
                file.SetLength(offset);
                Array.Resize(ref model, offset);
                break;
            case Kind.Allocate:
                file.Allocate(offset, length);
                Extend(ref model, offset, length);
                break;
            case Kind.Discard:
                file.Discard(offset, length);
                Forget(file, offset, length, model);
                break;
            case Kind.Flush:
                file.Flush();
                break;
            case Kind.Read:
                byte[] buffer = new byte[length];
                int read = file.Read(offset, buffer);
                Assert.Equal(Math.Clamp(model.Length - offset, 0, length), read);
                Assert.True(buffer.AsSpan(0, read).SequenceEqual(model.AsSpan(Math.Min(offset, model.Length), read)), "read differs");
                break;
        }
    }

    private static void Extend(ref byte[] model, int offset, int length)
    {
        if (length > 0 && offset + length > model.Length)
        {
            Array.Resize(ref model, offset + length);
        }
    }

    // What was discarded is undefined: take over what the file says, in that range only.
    private static void Forget(IBlockFile file, int offset, int length, byte[] model)
    {
        if (offset < model.Length)
        {
            Span<byte> range = model.AsSpan(offset, Math.Min(length, model.Length - offset));
            Assert.Equal(range.Length, file.Read(offset, range));
        }
    }

    private static void CheckRanges(IBlockFile file, byte[] model)
    {
        for (long at = 0; at < model.Length;)
        {
            (long length, bool hole) = file.NextRange(at, model.Length - at);
            Assert.InRange(length, 1, model.Length - at);
            Assert.False(hole && model.AsSpan((int)at, (int)length).ContainsAnyExcept((byte)0), "a hole that holds data");
            at += length;
        }
    }
}
