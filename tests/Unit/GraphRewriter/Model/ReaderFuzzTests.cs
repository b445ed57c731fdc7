// SPDX-License-Identifier: MIT
// Mutated models, with fixed seeds: each loads and saves, or is refused with the one exception; none crashes, hangs, or
// makes the reader allocate beyond the file.
using System.Diagnostics;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.Tests.Support;
using Google.Protobuf;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Model;

public sealed class ReaderFuzzTests : IDisposable
{
    /// <summary>Protobuf objects take more memory than the bytes they are read from; what a file claims to hold takes none.</summary>
    private const int ObjectFactor = 64;
    private const long FixedBytes = 4 * 1024 * 1024;

    private readonly string _folder = Directory.CreateTempSubdirectory("cats-fuzz-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> Seeds() =>
    [
        .. FixtureModels.All().Where(path => new FileInfo(FixtureModels.Resolve(path)).Length < 400_000)
            .Where((_, i) => i % 6 == 0),
    ];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_mutated_model_is_read_whole_or_refused(string fixture)
    {
        string source = FixtureModels.Resolve(fixture);
        byte[] original = File.ReadAllBytes(source);
        foreach (string beside in Directory.GetFiles(Path.GetDirectoryName(source)!).Where(f => new FileInfo(f).Length < 2_000_000))
        {
            File.Copy(beside, Path.Combine(_folder, Path.GetFileName(beside)));
        }

        Random random = new(fixture.Sum(c => c));
        for (int i = 0; i < 400; i++)
        {
            TryModel(Mutate(original, random), $"{fixture} mutant {i}");
        }
    }

    [Fact]
    public void Mutated_external_data_entries_are_read_or_refused()
    {
        File.WriteAllBytes(Path.Combine(_folder, "w.bin"), new byte[4096]);
        string[] keys = ["location", "offset", "length", "checksum", "Location", "", "basepath", "prepacked_0"];
        string[] values = ["w.bin", "./w.bin", "0", "1", "4", "-1", "4095", "4096", "9223372036854775807", "18446744073709551615", "1e3", "../w.bin", "/w.bin", "w.bin/", "w.bin/x", "*/_ORT_MEM_ADDR_/*", "\u0000", "é", new string('a', 5000), ".", ".."];
        Random random = new(11);
        int read = 0;
        for (int i = 0; i < 5000; i++)
        {
            (string, string)[] entries = [("location", "w.bin"), .. Enumerable.Range(0, random.Next(3)).Select(_ => (keys[random.Next(keys.Length)], values[random.Next(values.Length)]))];
            if (random.Next(3) == 0)
            {
                entries[0] = ("location", values[random.Next(values.Length)]);
            }

            long count = random.Next(4) switch { 0 => 1, 1 => 1024, 2 => long.MaxValue / random.Next(1, 9), _ => random.Next(2000) };
            read += TryModel(SmallModel.With(SmallModel.External("w", count, entries)).ToByteArray(), $"entries {i}") ? 1 : 0;
        }

        Assert.InRange(read, 100, 4000);
    }

    /// <summary>Loads and, where that works, reads and saves.</summary>
    private bool TryModel(byte[] bytes, string what)
    {
        string path = Path.Combine(_folder, "mutant.onnx");
        string saved = Path.Combine(_folder, "saved.onnx");
        File.WriteAllBytes(path, bytes);
        Stopwatch watch = Stopwatch.StartNew();
        long before = GC.GetAllocatedBytesForCurrentThread();
        OnnxModel model;
        try
        {
            model = OnnxModel.Load(path);
        }
        catch (InvalidModelException e)
        {
            Assert.Contains("mutant.onnx", e.Message, StringComparison.Ordinal);
            return false;
        }
        finally
        {
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < (bytes.Length * ObjectFactor) + FixedBytes, $"{what}: {allocated} bytes allocated for a file of {bytes.Length}");
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{what}: {watch.Elapsed}");
        }

        model.Save(saved);
        OnnxModel again = OnnxModel.Load(saved);
        foreach ((TensorProto a, TensorProto b) in TensorWalk.Tensors(model.Proto).Zip(TensorWalk.Tensors(again.Proto)))
        {
            if (a.DataType != (int)TensorProto.Types.DataType.String)
            {
                Assert.Equal(model.Read(a), again.Read(b));
            }
        }

        File.Delete(saved);
        File.Delete(saved + ".data");
        return true;
    }

    private static byte[] Mutate(byte[] original, Random random)
    {
        byte[] bytes = (byte[])original.Clone();
        // most of a file is weights: half of the mutants change its first or last bytes, where the graph is
        int Place() => random.Next(2) == 0 ? random.Next(bytes.Length) : random.Next(2) == 0 ? random.Next(Math.Min(2000, bytes.Length)) : bytes.Length - 1 - random.Next(Math.Min(2000, bytes.Length));
        switch (random.Next(5))
        {
            case 0:
                for (int n = random.Next(1, 5); n > 0; n--)
                {
                    bytes[Place()] ^= (byte)(1 << random.Next(8));
                }

                return bytes;
            case 1:
                return bytes[..random.Next(bytes.Length)];
            case 2:
                // lengths are varints: a run of large bytes makes huge ones
                int at = Place();
                bytes.AsSpan(at, Math.Min(random.Next(1, 10), bytes.Length - at)).Fill(0xFF);
                return bytes;
            case 3:
                int cut = Place();
                return [.. bytes[..cut], .. bytes[Math.Min(bytes.Length, cut + random.Next(1, 200))..]];
            default:
                int from = Place();
                int to = Place();
                return [.. bytes[..to], .. bytes[from..Math.Min(bytes.Length, from + random.Next(1, 500))], .. bytes[to..]];
        }
    }
}
