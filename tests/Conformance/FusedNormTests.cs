// SPDX-License-Identifier: MIT
// A sparse decoder whose MLPs do the norm before them computes what it computes with the norms as nodes of their own.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Synthesis;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.Conformance;

public sealed class FusedNormTests : IDisposable
{
    private const int Layers = 3;

    private static readonly DecoderShape Shape = new("small", 64, 176, Layers, 4, 2, 128, 64);

    private static readonly int[] Ids = [1, 17, 100, 42, 9, 0, 127, 64, 3, 3, 90, 11];

    private static readonly ModelSessionOptions Fused = new() { FuseNorms = true };
    private static readonly ModelSessionOptions Apart = new() { FuseNorms = false };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Fused_norms_give_the_same_logits_and_the_same_active_neurons()
    {
        ModelFolder folder = Decoder();
        using ModelSession apart = ModelSession.OpenCounting(folder, out IReadOnlyList<ActiveCount> counts, Apart);
        using ModelSession fused = ModelSession.OpenCounting(folder, out _, Fused);
        Assert.Equal((0, Layers), (apart.FusedNorms, fused.FusedNorms));
        Assert.Equal(Layers, fused.CatsKernels.Cpu);

        foreach (int tokens in (int[])[1, 2, Ids.Length])
        {
            foreach (float scale in (float[])[0, 1])
            {
                double[] wanted = Logits(apart, tokens, scale);
                double difference = Tolerances.Difference(Logits(fused, tokens, scale), wanted);
                Assert.True(
                    difference <= Tolerances.WholeGraph("float"),
                    $"{tokens} tokens, scale {scale}: logits differ by {difference:g3} of the largest");
                Assert.All(counts, count => Assert.Equal(Active(apart, tokens, scale, count), Active(fused, tokens, scale, count)));
            }
        }
    }

    [Fact]
    public void Every_way_to_open_fuses_and_none_changes_its_graph()
    {
        ModelFolder folder = Decoder();
        OnnxModel graph = OnnxModel.Load(folder.ModelPath);
        byte[] bytes = graph.ToBytes();
        using ModelSession file = ModelSession.Open(folder, Fused);
        using ModelSession message = ModelSession.Open(graph, folder, Fused);
        using ModelSession memory = ModelSession.Open(bytes, folder, Fused);
        Assert.Equal((Layers, Layers, Layers), (file.FusedNorms, message.FusedNorms, memory.FusedNorms));
        Assert.Equal(bytes, graph.ToBytes());
        double[] logits = Logits(file, Ids.Length, 1);
        Assert.Equal(logits, Logits(message, Ids.Length, 1));
        Assert.Equal(logits, Logits(memory, Ids.Length, 1));
    }

    [Fact]
    public void Nothing_is_fused_on_the_cpu_by_default_nor_without_the_library_nor_in_a_dense_model()
    {
        ModelFolder folder = Decoder();
        byte[] bytes = OnnxModel.Load(folder.ModelPath).ToBytes();
        foreach (ModelSessionOptions options in (ModelSessionOptions[])[new(), Apart, Fused with { UseCatsKernels = false }])
        {
            using ModelSession file = ModelSession.Open(folder, options);
            using ModelSession memory = ModelSession.Open(bytes, folder, options);
            Assert.Equal((0, 0), (file.FusedNorms, memory.FusedNorms));
        }

        using ModelSession dense = ModelSession.Open(ModelFolder.Open(_folder["dense"]), Fused);
        Assert.Equal(0, dense.FusedNorms);
    }

    private static double[] Logits(ModelSession session, int tokens, float scale) =>
        [.. session.RunWindow(Ids.AsSpan(0, tokens), scale).Logits.ToArray().Select(logit => (double)logit)];

    private static int[] Active(ModelSession session, int tokens, float scale, ActiveCount count) =>
        session.RunWindow(Ids.AsSpan(0, tokens), scale).Extra<int>(count.Output).ToArray();

    private ModelFolder Decoder()
    {
        DecoderModel.Write(Shape, DecoderDtype.Fp32, 3, _folder["dense"]);
        ModelFolder dense = ModelFolder.Open(_folder["dense"]);
        ThresholdTable thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(OnnxModel.Load(dense.ModelPath)), 0.2f);
        return TrainedModels.Rewrite(dense, thresholds, _folder["sparse"]);
    }
}
