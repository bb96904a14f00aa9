using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;

namespace ImageCluster.Imaging.Storage.Native;

/// <summary>Hands a path to the system as the bytes that it was read from; see <see cref="NameText"/>.</summary>
[CustomMarshaller(typeof(string), MarshalMode.ManagedToUnmanagedIn, typeof(PathMarshaller))]
internal static unsafe class PathMarshaller
{
    public static byte* ConvertToUnmanaged(string path)
    {
        int length = NameText.GetByteCount(path);
        byte* bytes = (byte*)NativeMemory.Alloc((nuint)length + 1);
        NameText.GetBytes(path, new Span<byte>(bytes, length));
        bytes[length] = 0;
        return bytes;
    }

    public static void Free(byte* bytes) => NativeMemory.Free(bytes);
}
