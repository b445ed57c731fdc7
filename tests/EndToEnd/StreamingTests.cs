// SPDX-License-Identifier: MIT
// A model of 3 GB, as a sparse file with data at known places, is transposed and saved in bounded memory; what was a hole
// stays one, what was data arrives where the transpose puts it.
using System.Globalization;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;

namespace CatsOnnx.Tests.EndToEnd;

[Collection(nameof(StreamingTests))]
[CollectionDefinition(nameof(StreamingTests), DisableParallelization = true)]
public sealed class StreamingTests : IDisposable
{
    private const int Rows = 4096;
    private const int Columns = 11008;
    private const int Tensors = 18;
    private const long TensorBytes = (long)Rows * Columns * sizeof(float);
    private const long PeakLimit = 600L << 20;

    private readonly string _folder = Directory.CreateTempSubdirectory("cats-stream-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Three_gigabytes_are_transposed_in_bounded_memory()
    {
        OnnxModel model = OnnxModel.Load(MakeSource());
        foreach (TensorProto tensor in model.Proto.Graph.Initializer)
        {
            TensorContent source = model.Content(tensor);
            tensor.Dims.Clear();
            tensor.Dims.Add([Columns, Rows]);
            model.SetContent(tensor, TensorContent.Transposed(source, Rows, Columns, sizeof(float)));
        }

        File.WriteAllText("/proc/self/clear_refs", "5");
        long before = Status("VmRSS");
        IReadOnlyList<SavedFile> files = model.Save(Path.Combine(_folder, "out.onnx"), new SaveOptions { RequireFinite = _ => true });
        long grown = Status("VmHWM") - before;

        Assert.True(files[0].Length > 3_000_000_000, $"{files[0].Length} bytes");
        Assert.True(grown < PeakLimit, $"the peak grew by {grown >> 20} MiB");
        OnnxModel saved = OnnxModel.Load(Path.Combine(_folder, "out.onnx"));
        for (int t = 0; t < Tensors; t++)
        {
            (int row, int column, float value) = Planted(t);
            byte[] element = new byte[sizeof(float)];
            saved.ReadAt(saved.Proto.Graph.Initializer[t], (((long)column * Rows) + row) * sizeof(float), element);
            Assert.Equal(t % 2 == 0 ? value : 0, BitConverter.ToSingle(element));
        }
    }

    /// <summary>Every second tensor has one value planted; the others are holes.</summary>
    private static (int Row, int Column, float Value) Planted(int tensor) => ((tensor * 977) % Rows, (tensor * 3571) % Columns, tensor + 0.5f);

    private string MakeSource()
    {
        using FileStream data = new(Path.Combine(_folder, "model.onnx.data"), FileMode.CreateNew);
        data.SetLength(Tensors * TensorBytes);
        GraphProto graph = new() { Name = "g" };
        for (int t = 0; t < Tensors; t++)
        {
            long offset = t * TensorBytes;
            graph.Initializer.Add(new TensorProto
            {
                Name = $"w{t}",
                DataType = (int)TensorProto.Types.DataType.Float,
                Dims = { Rows, Columns },
                DataLocation = TensorProto.Types.DataLocation.External,
                ExternalData =
                {
                    new StringStringEntryProto { Key = "location", Value = "model.onnx.data" },
                    new StringStringEntryProto { Key = "offset", Value = offset.ToString(CultureInfo.InvariantCulture) },
                    new StringStringEntryProto { Key = "length", Value = TensorBytes.ToString(CultureInfo.InvariantCulture) },
                },
            });
            if (t % 2 == 0)
            {
                (int row, int column, float value) = Planted(t);
                data.Position = offset + ((((long)row * Columns) + column) * sizeof(float));
                data.Write(BitConverter.GetBytes(value));
            }
        }

        ModelProto model = new() { IrVersion = 8, Graph = graph, OpsetImport = { new OperatorSetIdProto { Version = 17 } } };
        OnnxModel made = OnnxModel.FromProto(model, _folder);
        string path = Path.Combine(_folder, "model.onnx");
        File.WriteAllBytes(path, made.ToBytes());
        return path;
    }

    /// <summary>A line of /proc/self/status, in bytes.</summary>
    private static long Status(string name)
    {
        string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
