// SPDX-License-Identifier: MIT
// The rewriter's front: look at a model, rewrite it, take the rewrite back. All in memory; saving streams.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Thresholds;

namespace CatsOnnx.GraphRewriter;

/// <summary>How a model is rewritten.</summary>
public sealed record RewriteOptions
{
    /// <summary>The thresholds of every layer.</summary>
    public required ThresholdTable Thresholds { get; init; }

    /// <summary>CatsThreshold between SiLU and product instead of one operator for the whole MLP.</summary>
    public bool Unfused { get; init; }

    /// <summary>
    /// Whether weights are read now to refuse MLPs with NaN or infinity. With false, pass <see cref="ModelRewriter.MovesWeights"/> to
    /// <see cref="SaveOptions.RequireFinite"/>, and on <see cref="NonFiniteTensorException"/> rewrite anew with
    /// <see cref="NonFinite"/>.
    /// </summary>
    public bool CheckFinite { get; init; } = true;

    /// <summary>Tensors known to hold NaN or infinity, as a save named them: their MLPs are refused.</summary>
    public IReadOnlyCollection<string> NonFinite { get; init; } = [];

    /// <summary>The operator library's version for the metadata; null: this tool's.</summary>
    public string? LibraryVersion { get; init; }
}

/// <summary>Looks at models and rewrites them.</summary>
public static partial class ModelRewriter
{
    /// <summary>The MLPs of a model; nothing is changed.</summary>
    /// <param name="model">Any model.</param>
    /// <returns>Every MLP with its status; for a rewritten model what was done to it.</returns>
    public static RewriteReport Inspect(OnnxModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return RewriteMetadata.Report(model.Proto) ?? MlpSurvey.Of(model).Report(MlpStatus.Fusable);
    }

    /// <summary>Rewrites a model in memory.</summary>
    /// <param name="model">The model; its graph is changed.</param>
    /// <param name="options">Thresholds and form.</param>
    /// <returns>What was done; <see cref="RewriteReport.Changed"/> is false where nothing had to be.</returns>
    /// <exception cref="InvalidDataException">The thresholds are another model's, or the model cannot take the operators.</exception>
    public static RewriteReport Rewrite(OnnxModel model, RewriteOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Thresholds.RequireSound("thresholds");
        string form = options.Unfused ? "unfused" : "fused";
        if (RewriteMetadata.Report(model.Proto) is { } earlier)
        {
            options.Thresholds.RequireFits(earlier);
            if (RewriteMetadata.Get(model.Proto, RewriteMetadata.Form) == form)
            {
                return UpdateThresholds(model, options, earlier);
            }

            Revert(model);
        }

        MlpSurvey survey = MlpSurvey.Of(model, options);
        RewriteReport report = survey.Report(MlpStatus.Fused, form);
        options.Thresholds.RequireFits(report);
        if (report.Fused == 0)
        {
            return report;
        }

        ModelProto source = survey.Source;
        survey.Adopt(model);
        PassContext context = new(model, survey.Index, new NameSource(survey.Index), survey.Sites, options.Thresholds.Layers);
        PassPipeline.Run(options.Unfused ? PassPipeline.Unfused : PassPipeline.Fused, context);
        RewriteMetadata.Set(model.Proto, RewriteMetadata.Form, form);
        RewriteMetadata.SetThresholds(model.Proto, options.Thresholds, options.LibraryVersion ?? RewriteMetadata.ToolVersion);
        RewriteMetadata.SetReport(model.Proto, report);
        RewriteMetadata.Set(model.Proto, RewriteMetadata.Original, new UndoWriter(model, context.Moves).Compare(source).ToText());
        return report with { Changed = true, Notes = [.. survey.Notes, .. context.Notes] };
    }

    /// <summary>Restores the source graph of a rewritten model, in memory.</summary>
    /// <param name="model">The rewritten model; its graph is changed.</param>
    /// <returns>What is in the restored graph.</returns>
    /// <exception cref="InvalidDataException">The model was not rewritten by this tool, or its record does not fit.</exception>
    public static RewriteReport Revert(OnnxModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        string text = RewriteMetadata.Get(model.Proto, RewriteMetadata.Original)
            ?? throw new InvalidDataException("The model holds no record of a source graph; it was not rewritten.");
        RestoreSource.Run(model, UndoRecord.Parse(text));
        RewriteMetadata.Clear(model.Proto);
        return Inspect(model) with { Changed = true };
    }

    /// <summary>Whether a tensor of a rewritten model is a weight of a fused MLP: for <see cref="SaveOptions.RequireFinite"/>.</summary>
    /// <param name="model">A rewritten model.</param>
    public static Func<TensorProto, bool> MovesWeights(OnnxModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        HashSet<string> weights = new(StringComparer.Ordinal);
        foreach (NodeProto node in new GraphIndex(model.Proto).Scopes.SelectMany(scope => scope.Graph.Node))
        {
            if (node.Domain == OpSchemas.Domain && node.OpType == OpSchemas.SparseGatedMlp.Name)
            {
                weights.UnionWith(node.Input.Where((name, i) => name.Length > 0 && i is (>= 1 and <= 3) or (>= 5 and <= 7)));
            }
        }

        return tensor => weights.Contains(tensor.Name);
    }

    private static RewriteReport UpdateThresholds(OnnxModel model, RewriteOptions options, RewriteReport earlier)
    {
        if (RewriteMetadata.Get(model.Proto, RewriteMetadata.Thresholds) == RewriteMetadata.HashOf(options.Thresholds))
        {
            return earlier with { Notes = ["The model has these thresholds already; nothing was changed."] };
        }

        Google.Protobuf.Collections.RepeatedField<TensorProto> initializers = model.Proto.Graph.Initializer;
        for (int i = 0; i < initializers.Count; i++)
        {
            for (int layer = 0; layer < options.Thresholds.Layers.Count; layer++)
            {
                if (initializers[i].Name == AddThresholds.NameOf(layer))
                {
                    initializers[i] = AddThresholds.Tensor(layer, options.Thresholds.Layers[layer]);
                }
            }
        }

        RewriteMetadata.SetThresholds(model.Proto, options.Thresholds, options.LibraryVersion ?? RewriteMetadata.ToolVersion);
        return earlier with { Changed = true, Notes = ["Only thresholds and their provenance were changed."] };
    }
}
