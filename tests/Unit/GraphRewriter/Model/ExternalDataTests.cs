// SPDX-License-Identifier: MIT
// External data: what is read lies in the model's folder and has the bytes that the shape asks for; all else is refused.
using System.Diagnostics;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Model;

public sealed class ExternalDataTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("cats-test-").FullName;
    private readonly string _folder;

    public ExternalDataTests()
    {
        _folder = Path.Combine(_root, "m");
        Directory.CreateDirectory(_folder);
        File.WriteAllBytes(Path.Combine(_root, "secret.bin"), new byte[64]);
        File.WriteAllBytes(Path.Combine(_folder, "w.bin"), new byte[64]);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("../secret.bin")]
    [InlineData("a/../../secret.bin")]
    [InlineData("/etc/hostname")]
    [InlineData("C:\\w.bin")]
    [InlineData("\\\\?\\w.bin")]
    [InlineData("a//w.bin")]
    [InlineData("w.bin\0")]
    [InlineData("")]
    [InlineData("*/_ORT_MEM_ADDR_/*")]
    [InlineData("_ORT_MEM_ADDR_")]
    public void Refuses_a_location_that_is_no_plain_path_below_the_folder(string location) => AssertRefused(SmallModel.External("w", 16, location), "location");

    [Theory]
    [InlineData("offset", "-8")]
    [InlineData("offset", "99999999999999999999")]
    [InlineData("offset", "9223372036854775807")]
    [InlineData("offset", "60")]
    [InlineData("offset", " 0")]
    [InlineData("offset", "0x10")]
    [InlineData("length", "-1")]
    [InlineData("length", "9223372036854775807")]
    [InlineData("length", "60")]
    [InlineData("length", "sixty")]
    [InlineData("colour", "blue")]
    [InlineData("location", "w.bin")]
    public void Refuses_offsets_lengths_and_keys_that_are_wrong(string key, string value) =>
        AssertRefused(SmallModel.External("w", 16, ("location", "w.bin"), (key, value)), "w");

    [Theory]
    [InlineData(17)]
    [InlineData(1L << 40)]
    [InlineData(long.MaxValue / 4)]
    public void Refuses_shapes_that_ask_for_more_than_the_file_has(long count) => AssertRefused(SmallModel.External("w", count, ("location", "w.bin")), "tensor 'w'");

    [Fact]
    public void Refuses_a_missing_file_a_folder_and_a_pipe()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "folder.bin"));
        using (Process fifo = Process.Start("mkfifo", Path.Combine(_folder, "pipe.bin")))
        {
            fifo.WaitForExit();
        }

        AssertRefused(SmallModel.External("w", 16, "none.bin"), "does not exist");
        AssertRefused(SmallModel.External("w", 16, "folder.bin"), "no regular file");
        AssertRefused(SmallModel.External("w", 16, "pipe.bin"), "no regular file");
    }

    [Fact]
    public void Refuses_links_that_lead_outside()
    {
        File.CreateSymbolicLink(Path.Combine(_folder, "link.bin"), "../secret.bin");
        Directory.CreateSymbolicLink(Path.Combine(_folder, "up"), "..");
        File.CreateSymbolicLink(Path.Combine(_folder, "device.bin"), "/dev/zero");

        AssertRefused(SmallModel.External("w", 16, "link.bin"), "outside the model's folder");
        AssertRefused(SmallModel.External("w", 16, "up/secret.bin"), "outside the model's folder");
        AssertRefused(SmallModel.External("w", 16, "device.bin"), "no regular file");
    }

    [Fact]
    public void Refuses_a_hard_link_unless_allowed()
    {
        using (Process ln = Process.Start("ln", [Path.Combine(_root, "secret.bin"), Path.Combine(_folder, "hard.bin")]))
        {
            ln.WaitForExit();
        }

        AssertRefused(SmallModel.External("w", 16, "hard.bin"), "hard links");
        OnnxModel.Load(Path.Combine(_folder, "model.onnx"), allowHardLinks: true);
    }

    [Fact]
    public void Reads_links_that_stay_inside()
    {
        File.CreateSymbolicLink(Path.Combine(_folder, "link.bin"), "w.bin");

        Load(SmallModel.External("w", 16, "link.bin"));
    }

    [Fact]
    public void Reads_the_layout_of_the_Hugging_Face_cache()
    {
        string blobs = Path.Combine(_root, "blobs");
        string snapshot = Path.Combine(_root, "snapshots", "abc");
        Directory.CreateDirectory(snapshot);
        SmallModel.Write(blobs, SmallModel.With(SmallModel.External("w", 16, "model.onnx_data")), "111");
        File.WriteAllBytes(Path.Combine(blobs, "222"), new byte[64]);
        File.CreateSymbolicLink(Path.Combine(snapshot, "model.onnx"), "../../blobs/111");
        File.CreateSymbolicLink(Path.Combine(snapshot, "model.onnx_data"), "../../blobs/222");

        OnnxModel model = OnnxModel.Load(Path.Combine(snapshot, "model.onnx"));

        Assert.Equal(64, model.Read(model.Proto.Graph.Initializer[0]).Length);
    }

    [Fact]
    public void Refuses_external_data_wherever_it_hangs()
    {
        TensorProto bad = SmallModel.External("w", 16, "*/_ORT_MEM_ADDR_/*");
        AttributeProto value = new() { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = bad };
        NodeProto constant = new() { OpType = "Constant", Output = { "c" }, Attribute = { value } };
        ModelProto inAttribute = SmallModel.With();
        inAttribute.Graph.Node.Add(constant);
        ModelProto inSubgraph = SmallModel.With();
        AttributeProto branch = new() { Name = "then_branch", Type = AttributeProto.Types.AttributeType.Graph, G = new GraphProto { Initializer = { bad } } };
        inSubgraph.Graph.Node.Add(new NodeProto { OpType = "If", Attribute = { branch } });
        ModelProto inFunction = SmallModel.With();
        inFunction.Functions.Add(new FunctionProto { Name = "F", Domain = "local", OpsetImport = { new OperatorSetIdProto() }, Node = { constant } });
        ModelProto inSparse = SmallModel.With();
        inSparse.Graph.SparseInitializer.Add(new SparseTensorProto { Values = bad });

        foreach (ModelProto model in new[] { inAttribute, inSubgraph, inFunction, inSparse })
        {
            Assert.Contains("address in memory", Assert.Throws<InvalidModelException>(() => OnnxModel.Load(SmallModel.Write(_folder, model))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Says_so_when_the_file_has_become_shorter()
    {
        OnnxModel model = Load(SmallModel.External("w", 16, "w.bin"));
        using (FileStream file = new(Path.Combine(_folder, "w.bin"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.SetLength(10);
        }

        Assert.Contains("shorter", Assert.Throws<InvalidModelException>(() => model.Read(model.Proto.Graph.Initializer[0])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_that_is_swapped_while_it_is_opened_never_reads_outside()
    {
        File.WriteAllBytes(Path.Combine(_root, "secret.bin"), [.. Enumerable.Repeat((byte)0x5A, 64)]);
        string link = Path.Combine(_folder, "swap.bin");
        string model = SmallModel.Write(_folder, SmallModel.With(SmallModel.External("w", 16, "swap.bin")));
        using CancellationTokenSource stop = new();
        Thread swapper = new(() =>
        {
            for (bool inside = true; !stop.IsCancellationRequested; inside = !inside)
            {
                string next = Path.Combine(_folder, "next");
                File.CreateSymbolicLink(next, inside ? "w.bin" : "../secret.bin");
                File.Move(next, link, overwrite: true);
            }
        });
        File.CreateSymbolicLink(link, "w.bin");
        swapper.Start();
        try
        {
            for (int i = 0; i < 2000; i++)
            {
                try
                {
                    OnnxModel loaded = OnnxModel.Load(model);
                    Assert.All(loaded.Read(loaded.Proto.Graph.Initializer[0]), b => Assert.Equal(0, b));
                }
                catch (InvalidModelException)
                {
                }
            }
        }
        finally
        {
            stop.Cancel();
            swapper.Join();
        }
    }

    private OnnxModel Load(TensorProto tensor) => OnnxModel.Load(SmallModel.Write(_folder, SmallModel.With(tensor)));

    private void AssertRefused(TensorProto tensor, string fault)
    {
        InvalidModelException e = Assert.Throws<InvalidModelException>(() => Load(tensor));
        Assert.Contains("model.onnx", e.Message, StringComparison.Ordinal);
        Assert.Contains(fault, e.Message, StringComparison.Ordinal);
    }
}
