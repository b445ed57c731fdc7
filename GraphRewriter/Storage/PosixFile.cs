// SPDX-License-Identifier: MIT
// What .NET lacks on Linux: kind and link count of an open file, its real path, holes, fsync of a folder.
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Thin, checked calls into the C library; on other systems each says that it does not know.</summary>
internal static partial class PosixFile
{
    private const int AtFdCwd = -100;
    private const int AtSymlinkNoFollow = 0x100;
    private const int AtEmptyPath = 0x1000;
    private const uint BasicStats = 0x7FF;
    private const int SeekData = 3;
    private const int SeekHole = 4;
    private const int Enxio = 6;
    private const int GetFlags = 3;
    private const int SetFlags = 4;

    public const int DirectAlignment = 4096;

    public const int KindMask = 0xF000;
    public const int KindRegular = 0x8000;
    public const int KindFolder = 0x4000;
    public const int KindLink = 0xA000;

    /// <summary>Mode and link count of an open file; null where the system does not tell.</summary>
    public static (int Mode, uint Links)? Status(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
            return Status((int)file.DangerousGetHandle(), string.Empty, AtEmptyPath);
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>Mode and link count of a path, links followed or not; null where there is none or the system does not tell.</summary>
    public static (int Mode, uint Links)? Status(string path, bool followLinks) =>
        OperatingSystem.IsLinux() ? Status(AtFdCwd, path, followLinks ? 0 : AtSymlinkNoFollow) : null;

    /// <summary>The path of what is really open; null where the system does not tell.</summary>
    public static string? RealPath(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
            return new FileInfo($"/proc/self/fd/{(int)file.DangerousGetHandle()}").LinkTarget;
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>Where the next data (or the next hole) at or after a position starts; the position itself where the system does not tell.</summary>
    /// <param name="file">An open file.</param>
    /// <param name="position">Where to look from.</param>
    /// <param name="length">The file's length, the answer where there is no more data.</param>
    /// <param name="hole">Whether to look for a hole instead of data.</param>
    public static long Seek(SafeFileHandle file, long position, long length, bool hole)
    {
        if (!OperatingSystem.IsLinux())
        {
            return hole ? length : position;
        }

        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
            long found = lseek((int)file.DangerousGetHandle(), position, hole ? SeekHole : SeekData);
            if (found < 0)
            {
                return Marshal.GetLastPInvokeError() == Enxio || hole ? length : position;
            }

            return found;
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>
    /// Sets whether writes pass the page cache by. A file that is larger than what the cache should hold is written
    /// faster without it, and durable at once; every write must then be aligned to <see cref="DirectAlignment"/>.
    /// </summary>
    /// <returns>Whether it is so now.</returns>
    public static bool SetDirect(SafeFileHandle file, bool direct)
    {
        int bit = RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64 ? 0x10000 : 0x4000;
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
            int descriptor = (int)file.DangerousGetHandle();
            int flags = fcntl(descriptor, GetFlags, 0);
            return flags >= 0 && fcntl(descriptor, SetFlags, direct ? flags | bit : flags & ~bit) == 0 && direct;
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>Makes the entries of a folder durable.</summary>
    /// <exception cref="IOException">The system refused.</exception>
    public static void SyncFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        int descriptor = open(folder, 0);
        if (descriptor < 0)
        {
            throw new IOException($"{folder}: cannot be opened to make it durable: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }

        int result = fsync(descriptor);
        int error = Marshal.GetLastPInvokeError();
        _ = close(descriptor);
        if (result != 0)
        {
            throw new IOException($"{folder}: fsync failed: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }

    /// <summary>Swaps two folders in one step.</summary>
    /// <returns>Whether it was done; false where the system or the file system cannot.</returns>
    public static bool Exchange(string a, string b)
    {
        const uint ExchangeFlag = 2;
        try
        {
            return OperatingSystem.IsLinux() && renameat2(AtFdCwd, a, AtFdCwd, b, ExchangeFlag) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    private static (int Mode, uint Links)? Status(int descriptor, string path, int flags)
    {
        Span<byte> buffer = stackalloc byte[256];
        buffer.Clear();
        int result;
        unsafe
        {
            fixed (byte* p = buffer)
            {
                result = statx(descriptor, path, flags, BasicStats, p);
            }
        }

        return result != 0 ? null : (BitConverter.ToUInt16(buffer[0x1C..]), BitConverter.ToUInt32(buffer[0x10..]));
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static unsafe partial int statx(int dirfd, string path, int flags, uint mask, byte* buffer);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(int descriptor, long offset, int whence);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int descriptor, int command, int argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int descriptor);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int renameat2(int oldFolder, string oldPath, int newFolder, string newPath, uint flags);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);
}
