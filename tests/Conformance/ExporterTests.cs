// SPDX-License-Identifier: MIT
// Every stored export: as many MLPs fused as its fixture.json accepts, the rest refused with a reason; the expected text.
using System.Text;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Tests.Support;
using Google.Protobuf;

namespace CatsOnnx.Tests.Conformance;

public sealed class ExporterTests
{
    public static TheoryData<string> Fixtures => ExporterFixture.Names;

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Fuses_as_many_mlps_as_the_fixture_accepts(string name)
    {
        ExporterFixture fixture = ExporterFixture.Get(name);
        RewriteReport report = ModelRewriter.Inspect(OnnxModel.Load(fixture.ModelPath));

        Assert.Contains(report.Fusable, fixture.Acceptable);
        Assert.All(report.Mlps.Where(mlp => mlp.Status == MlpStatus.Refused), mlp =>
        {
            Assert.False(string.IsNullOrWhiteSpace(mlp.Reason));
            Assert.False(string.IsNullOrWhiteSpace(mlp.Node));
        });
        if (!fixture.Acceptable.Contains(0))
        {
            Assert.Equal(fixture.Expected, report.Fusable);
        }
        else if (fixture.Expected > 0 && report.Fusable == 0)
        {
            Assert.Equal(fixture.Expected, report.Refused);
        }
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Reports_and_rewrites_as_the_expected_text_says(string name)
    {
        ExporterFixture fixture = ExporterFixture.Get(name);
        StringBuilder text = new();
        OnnxModel model = OnnxModel.Load(fixture.ModelPath);
        foreach (MlpReport mlp in ModelRewriter.Inspect(model).Mlps)
        {
            text.Append($"{mlp.Name}: {mlp.Status} [{mlp.HiddenSize}, {mlp.IntermediateSize}] {mlp.Dtype ?? "-"}; {mlp.Form ?? "-"}; at {mlp.Node}");
            text.Append(mlp.Reason is null ? "\n" : $"; {mlp.Reason}\n");
        }

        foreach (bool unfused in new[] { false, true })
        {
            OnnxModel rewritten = OnnxModel.Load(fixture.ModelPath);
            RewriteReport report = Rewritten(rewritten, unfused, 0.01f);
            text.Append(unfused ? "unfused:\n" : "fused:\n");
            foreach (GraphScope scope in new GraphIndex(rewritten.Proto).Scopes)
            {
                foreach (NodeProto node in scope.Graph.Node.Where(node => node.Domain == OpSchemas.Domain))
                {
                    text.Append($"  {scope.Path}{GraphText.Line(node)}\n");
                }
            }

            foreach (string note in report.Notes)
            {
                text.Append($"  {note}\n");
            }
        }

        string path = Path.Combine(SharedFiles.RepositoryRoot, "tests", "Conformance", "expected", $"{name}.txt");
        Assert.Null(GoldenText.Difference(text.ToString(), path));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Revert_restores_the_source_graph(string name)
    {
        ExporterFixture fixture = ExporterFixture.Get(name);
        foreach (bool unfused in new[] { false, true })
        {
            OnnxModel source = OnnxModel.Load(fixture.ModelPath);
            OnnxModel model = OnnxModel.Load(fixture.ModelPath);
            if (!Rewritten(model, unfused, 0.02f).Changed)
            {
                return;
            }

            using TemporaryFolder folder = new();
            string path = Path.Combine(folder.Path, "model.onnx");
            model.Save(path);
            OnnxModel saved = OnnxModel.Load(path);
            RewriteReport report = ModelRewriter.Revert(saved);
            Assert.True(report.Fusable > 0);
            AssertSame(source, saved);
            ModelRewriter.Revert(model);
            AssertSame(source, model);
        }
    }

    internal static RewriteReport Rewritten(OnnxModel model, bool unfused, float threshold) => ModelRewriter.Rewrite(
        model, new RewriteOptions { Thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(model), threshold), Unfused = unfused });

    private static void AssertSame(OnnxModel expected, OnnxModel actual)
    {
        List<TensorProto> before = [.. TensorWalk.Tensors(expected.Proto)];
        List<TensorProto> after = [.. TensorWalk.Tensors(actual.Proto)];
        Assert.Equal(before.Select(tensor => tensor.Name), after.Select(tensor => tensor.Name));
        foreach ((TensorProto a, TensorProto b) in before.Zip(after))
        {
            Assert.Equal((a.Name, a.DataType, string.Join(',', a.Dims)), (b.Name, b.DataType, string.Join(',', b.Dims)));
            Assert.True(expected.Read(a).AsSpan().SequenceEqual(actual.Read(b)), $"the bytes of '{a.Name}' differ");
        }

        Assert.Equal(WithoutData(expected.Proto), WithoutData(actual.Proto));
    }

    private static ByteString WithoutData(ModelProto model)
    {
        ModelProto bare = model.Clone();
        foreach (TensorProto tensor in TensorWalk.Tensors(bare))
        {
            TensorProto header = new() { Name = tensor.Name, DataType = tensor.DataType };
            header.Dims.AddRange(tensor.Dims);
            tensor.ExternalData.Clear();
            tensor.ClearDataLocation();
            tensor.ClearRawData();
            tensor.FloatData.Clear();
            tensor.Int32Data.Clear();
            tensor.Int64Data.Clear();
        }

        return bare.ToByteString();
    }
}
