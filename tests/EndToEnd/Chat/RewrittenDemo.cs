// SPDX-License-Identifier: MIT
// The demo model with one threshold everywhere.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Thresholds;
using CatsOnnx.Session;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd.Chat;

internal static class RewrittenDemo
{
    /// <summary>Makes it in a folder of a test.</summary>
    public static ModelFolder In(TemporaryFolder folder)
    {
        ModelFolder demo = ModelFolder.Open(CliTool.DemoModel);
        ThresholdTable thresholds = ThresholdTable.Uniform(ModelRewriter.Inspect(OnnxModel.Load(demo.ModelPath)), 0.05f);
        return TrainedModels.Rewrite(demo, thresholds, folder["rewritten"]);
    }
}
