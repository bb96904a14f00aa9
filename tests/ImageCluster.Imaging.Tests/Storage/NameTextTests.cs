using System.Text;
using CsCheck;
using ImageCluster.Imaging.Storage;
using ImageCluster.Testing;

namespace ImageCluster.Imaging.Tests.Storage;

public class NameTextTests
{
    // Bytes as they come, and such as make up characters and their beginnings.
    private static readonly Gen<byte[]> Names = Gen.OneOf(
        Gen.Byte.Array[0, 20],
        Gen.OneOf<byte>(0x41, 0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xed, 0xb2, 0xf0, 0x9f, 0x98, 0x80).Array[0, 20]);

    [Fact]
    public void EveryNameComesBackByteForByte() => Names.Holds(static bytes =>
    {
        string text = NameText.GetString(bytes);
        Assert.Equal(bytes, NameText.GetBytes(text));
        Assert.Equal(bytes.Length, NameText.GetByteCount(text));
        Assert.Equal(System.Text.Unicode.Utf8.IsValid(bytes), NameText.IsUtf8(text));
    });

    [Fact]
    public void TextIsAsInUtf8() => Gen.String.Holds(static text =>
    {
        Assert.Equal(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text))), NameText.GetBytes(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text))));
        Assert.Equal("äö😀", NameText.GetString(Encoding.UTF8.GetBytes("äö😀")));
    });

    [SkippableFact]
    public void FilesWithSuchNamesAreOtherFiles()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "names are bytes: not Linux");
        using Testing.Storage.TempDirectory directory = new();
        LocalFileLocator files = new();
        string[] names = [directory[NameText.GetString([0xff])], directory[NameText.GetString([0xfe])], directory["\ufffd"]];
        for (int i = 0; i < names.Length; i++)
        {
            using IBlockFile file = files.Create(names[i], 0, OpenMode.ReadWrite);
            file.Write(0, [(byte)i]);
        }

        for (int i = 0; i < names.Length; i++)
        {
            byte[] content = new byte[2];
            using (IBlockFile file = files.Open(names[i], OpenMode.ReadOnly))
            {
                Assert.Equal(1, file.Read(0, content));
            }

            Assert.Equal(i, content[0]);
            Assert.Equal(names[i], files.Canonical(names[i]));
            files.Delete(names[i]);
            Assert.False(files.Exists(names[i]));
        }
    }
}
