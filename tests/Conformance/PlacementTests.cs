// SPDX-License-Identifier: MIT
// A session counts its own kernels, also while other threads make sessions that know nothing of it.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Synthesis;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Conformance;

public sealed class PlacementTests : IDisposable
{
    private const int Layers = 2;
    private const int Sessions = 20;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_session_counts_the_kernels_that_were_made_for_it_and_no_others()
    {
        DecoderModel.Write(new("small", 64, 176, Layers, 4, 2, 128, 64), DecoderDtype.Fp32, 3, _folder["dense"]);
        ModelFolder dense = ModelFolder.Open(_folder["dense"]);
        ThresholdTable thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(OnnxModel.Load(dense.ModelPath)), 0.2f);
        ModelFolder sparse = TrainedModels.Rewrite(dense, thresholds, _folder["sparse"]);
        using ModelSession first = ModelSession.Open(sparse);

        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        TaskCompletionSource started = new();
        Task others = Task.Run(
            () =>
            {
                OnnxModel graph = OnnxModel.Load(sparse.ModelPath);
                while (!stop.IsCancellationRequested)
                {
                    using OrtRun other = new(graph, library: true, GraphOptimizationLevel.ORT_DISABLE_ALL);
                    started.TrySetResult();
                }
            },
            TestContext.Current.CancellationToken);
        await Task.WhenAny(started.Task, others);
        List<CatsPlacement> placements = [first.CatsKernels];
        for (int i = 0; i < Sessions; i++)
        {
            using ModelSession session = ModelSession.Open(sparse);
            placements.Add(session.CatsKernels);
        }

        await stop.CancelAsync();
        await others;
        Assert.All(placements, placement => Assert.Equal(new CatsPlacement(Layers, 0), placement));
    }
}
