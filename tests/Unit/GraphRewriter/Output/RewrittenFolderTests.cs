// SPDX-License-Identifier: MIT
// What stands in a rewritten folder, and that its manifest notices every change.
using System.Text;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Output;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;
using CatsOnnx.GraphRewriter.Synthesis;
using CatsOnnx.Tests.Unit.GraphRewriter.Model;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Output;

public sealed class RewrittenFolderTests : IDisposable
{
    private static readonly DecoderShape s_shape = new("test", 32, 64, 1, 2, 1, 64, 32);

    private readonly string _root = Directory.CreateTempSubdirectory("cats-test-").FullName;
    private readonly string _source;
    private readonly string _target;

    public RewrittenFolderTests()
    {
        _source = Path.Combine(_root, "source");
        _target = Path.Combine(_root, "target");
        DecoderModel.Write(s_shape, DecoderDtype.Fp32, 1, _source);
        File.WriteAllText(Path.Combine(_source, "tokenizer.json"), "{}");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Holds_all_that_lay_beside_the_model_and_a_manifest_of_it()
    {
        RewrittenFolder.Written written = Rewrite().Write();

        string[] expected = ["cats-manifest.json", "cats-report.json", "genai_config.json", "model.onnx", "model.onnx.data", "thresholds.json", "tokenizer.json"];
        Assert.Equal(expected, Names(_target));
        Assert.Equal(expected.Skip(1), written.Files.Select(file => file.Name));
        Assert.Empty(FolderManifest.Verify(_target));
        Assert.Equal(FolderManifest.CurrentVersion, FolderManifest.Read(_target)!.LibraryVersion);
        Assert.Equal(File.ReadAllBytes(Path.Combine(_source, "genai_config.json")), File.ReadAllBytes(Path.Combine(_target, "genai_config.json")));
        Assert.Equal(["source", "target"], Names(_root));
    }

    [Fact]
    public void One_flipped_bit_a_missing_and_a_longer_file_are_noticed()
    {
        Rewrite().Write();
        byte[] data = File.ReadAllBytes(Path.Combine(_target, "model.onnx.data"));
        data[^1] ^= 1;
        File.WriteAllBytes(Path.Combine(_target, "model.onnx.data"), data);
        File.Delete(Path.Combine(_target, "tokenizer.json"));
        File.AppendAllText(Path.Combine(_target, "thresholds.json"), " ");

        IReadOnlyList<string> faults = FolderManifest.Verify(_target);

        Assert.Equal(3, faults.Count);
        Assert.Contains(faults, f => f.StartsWith("model.onnx.data has the SHA-256", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.StartsWith("tokenizer.json is missing", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.StartsWith("thresholds.json has", StringComparison.Ordinal));
    }

    [Fact]
    public void The_library_lies_beside_the_model_and_GenAI_is_told_its_bare_name()
    {
        string library = Path.Combine(_root, "libcats_onnx.so");
        File.WriteAllText(library, "library");
        (Rewrite() with { NativeLibrary = library }).Write();
        Assert.Equal("library", File.ReadAllText(Path.Combine(_target, "libcats_onnx.so")));
        Assert.Equal("libcats_onnx.so", GenAiConfigEdit.GetLibrary(File.ReadAllBytes(Path.Combine(_target, "genai_config.json"))));

        // and back: a folder made from that one without a library names none and holds none of ours
        OnnxModel rewritten = OnnxModel.Load(Path.Combine(_target, "model.onnx"));
        new RewrittenFolder { Source = _target, Model = rewritten, Target = Path.Combine(_root, "back") }.Write();

        Assert.Equal(["cats-manifest.json", "genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json"], Names(Path.Combine(_root, "back")));
        foreach (string name in new[] { "genai_config.json", "model.onnx", "model.onnx.data" })
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(_source, name)), File.ReadAllBytes(Path.Combine(_root, "back", name)));
        }
    }

    [Fact]
    public void Other_graphs_their_data_other_weights_and_links_out_are_left_out_with_a_reason()
    {
        SmallModel.Write(_source, SmallModel.With(SmallModel.External("w", 4, "shared.bin")), "other.onnx");
        File.WriteAllBytes(Path.Combine(_source, "shared.bin"), new byte[16]);
        File.WriteAllText(Path.Combine(_source, "model.safetensors"), "weights");
        File.WriteAllText(Path.Combine(_root, "secret"), "secret");
        File.CreateSymbolicLink(Path.Combine(_source, "notes.txt"), "../secret");
        Directory.CreateDirectory(Path.Combine(_source, "extra"));
        File.WriteAllText(Path.Combine(_source, "extra", "a.txt"), "a");

        RewrittenFolder.Written written = Rewrite().Write();

        Assert.Equal(["model.safetensors", "notes.txt", "other.onnx", "shared.bin"], written.LeftOut.Select(l => l.Path).Order(StringComparer.Ordinal));
        Assert.True(File.Exists(Path.Combine(_target, "extra", "a.txt")));
        Assert.False(File.Exists(Path.Combine(_target, "notes.txt")));
    }

    [Fact]
    public void A_bare_model_file_brings_only_its_data()
    {
        RewrittenFolder.Written written = (Rewrite() with { Source = Path.Combine(_source, "model.onnx"), Thresholds = null, Report = null }).Write();

        Assert.Equal(["cats-manifest.json", "model.onnx", "model.onnx.data"], Names(_target));
        Assert.Equal(2, written.Files.Count);
    }

    [Fact]
    public void A_model_in_a_subfolder_stays_there()
    {
        string root = Path.Combine(_root, "community");
        DecoderModel.Write(s_shape, DecoderDtype.Fp32, 1, Path.Combine(root, "onnx"));
        File.Delete(Path.Combine(root, "onnx", "genai_config.json"));
        File.WriteAllText(Path.Combine(root, "config.json"), "{}");
        new RewrittenFolder { Source = root, Model = OnnxModel.Load(Path.Combine(root, "onnx", "model.onnx")), Target = _target }.Write();

        Assert.True(File.Exists(Path.Combine(_target, "onnx", "model.onnx.data")));
        Assert.True(File.Exists(Path.Combine(_target, "config.json")));
        Assert.Empty(FolderManifest.Verify(_target));
    }

    [Fact]
    public void Refuses_to_write_where_something_is_or_where_it_reads()
    {
        Directory.CreateDirectory(_target);
        Rewrite().Write();
        byte[] before = File.ReadAllBytes(Path.Combine(_target, "model.onnx.data"));

        Assert.Throws<IOException>(() => Rewrite().Write());
        Assert.Throws<IOException>(() => (Rewrite() with { Target = _source, Overwrite = true }).Write());
        Assert.Throws<IOException>(() => (Rewrite() with { Target = Path.Combine(_source, "out") }).Write());
        Assert.Throws<IOException>(() => (Rewrite() with { Target = _root, Overwrite = true }).Write());
        Directory.CreateSymbolicLink(Path.Combine(_root, "link"), _source);
        Assert.Throws<IOException>(() => (Rewrite() with { Target = Path.Combine(_root, "link"), Overwrite = true }).Write());
        Assert.Throws<IOException>(() => (Rewrite() with { Target = Path.Combine(_root, "link", "out"), Overwrite = true }).Write());
        File.WriteAllText(Path.Combine(_root, "file"), "x");
        Assert.Throws<IOException>(() => (Rewrite() with { Target = Path.Combine(_root, "file"), Overwrite = true }).Write());

        Assert.Equal(before, File.ReadAllBytes(Path.Combine(_target, "model.onnx.data")));
        Assert.Equal(["genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json"], Names(_source));
        (Rewrite() with { Overwrite = true }).Write();
        Assert.Equal(["file", "link", "source", "target"], Names(_root));
    }

    [Fact]
    public void What_fails_before_the_end_leaves_nothing()
    {
        Assert.Throws<TimeoutException>(() => Rewrite().Write(beforeCommit: _ => throw new TimeoutException()));
        using CancellationTokenSource stop = new();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Rewrite().Write(cancellation: stop.Token));
        Assert.Throws<NonFiniteTensorException>(() =>
        {
            RewrittenFolder broken = Rewrite() with { RequireFinite = _ => true };
            TensorProto head = broken.Model.Proto.Graph.Initializer[^1];
            byte[] nans = [.. Enumerable.Repeat((byte)0xFF, (int)broken.Model.ByteLength(head))];
            broken.Model.SetContent(head, new TensorContent.Bytes(nans));
            broken.Write();
        });

        Assert.Equal(["source"], Names(_root));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("""{"schema_version": 2, "library_version": "9", "files": []}""")]
    [InlineData("""{"schema_version": 1, "library_version": "9", "files": [{"path": "../x", "bytes": 1, "sha256": ""}]}""")]
    [InlineData("""{"schema_version": 1, "files": 3}""")]
    public void Refuses_a_manifest_that_is_damaged_or_of_another_version(string json)
    {
        File.WriteAllText(Path.Combine(_source, FolderManifest.FileName), json);

        Assert.Throws<InvalidModelException>(() => FolderManifest.Verify(_source));
    }

    private RewrittenFolder Rewrite() => new()
    {
        Source = _source,
        Model = OnnxModel.Load(Path.Combine(_source, "model.onnx")),
        Target = _target,
        Thresholds = Encoding.UTF8.GetBytes("{}"),
        Report = Encoding.UTF8.GetBytes("{}"),
    };

    private static IEnumerable<string?> Names(string folder) => Directory.GetFileSystemEntries(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal);
}
