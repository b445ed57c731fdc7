// SPDX-License-Identifier: MIT
// silu(gate) ── Mul  ->  silu(gate) ── GateObserver ── Mul, with what the observer counts as outputs: for calibration, in memory.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using static CatsOnnx.GraphRewriter.Proto.TensorProto.Types;

namespace CatsOnnx.GraphRewriter.Passes;

/// <summary>The outputs of one layer's observer.</summary>
/// <param name="Counts">int64 [32768]: how often abs(activated gate) times weight fell into each bin.</param>
/// <param name="UpAbsSum">double [intermediate]: sum of abs(up) over the tokens.</param>
/// <param name="Tokens">int64 []: number of tokens.</param>
/// <param name="IntermediateSize">Number of neurons.</param>
public sealed record GateObserverOutputs(string Counts, string UpAbsSum, string Tokens, int IntermediateSize);

/// <summary>Prepares a graph for calibration; it then needs the operator library.</summary>
public static class InsertGateObservers
{
    /// <summary>Puts an observer into each MLP that can be rewritten.</summary>
    /// <param name="model">A model that is not rewritten, or a clone of one; its graph is changed.</param>
    /// <param name="weights">[layers] of [intermediate_size]: multiplies the activations before they are counted; or null.</param>
    /// <returns>The outputs of each layer, in the order of <see cref="RewriteReport.Layers"/>.</returns>
    /// <exception cref="InvalidDataException">The model is rewritten already, or a layer stands where its counts cannot leave the graph.</exception>
    /// <exception cref="ArgumentException">The weights are not those of the model's layers.</exception>
    public static IReadOnlyList<GateObserverOutputs> Apply(OnnxModel model, IReadOnlyList<ReadOnlyMemory<float>>? weights)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (RewriteMetadata.Report(model.Proto) is not null)
        {
            throw new InvalidDataException("The model is rewritten already; calibration needs its source. Revert it first.");
        }

        MlpSurvey survey = MlpSurvey.Of(model);
        RequireWeights(survey, weights);
        survey.Adopt(model);
        PassContext context = new(model, survey.Index, new NameSource(survey.Index), survey.Sites, []);
        OutputLift lift = new(survey.Index, context.Names);
        List<GateObserverOutputs> outputs = [];
        foreach (IGrouping<int, MlpSite> layer in survey.Sites.GroupBy(site => site.Layer).OrderBy(group => group.Key))
        {
            outputs.Add(Observe(context, lift, [.. layer], weights?[layer.Key]));
        }

        context.Editor.Apply();
        if (outputs.Count > 0 && model.Proto.OpsetImport.All(import => import.Domain != OpSchemas.Domain))
        {
            model.Proto.OpsetImport.Add(new OperatorSetIdProto { Domain = OpSchemas.Domain, Version = OpSchemas.Version });
        }

        return outputs;
    }

    private static GateObserverOutputs Observe(PassContext context, OutputLift lift, IReadOnlyList<MlpSite> sites, ReadOnlyMemory<float>? weight)
    {
        int layer = sites[0].Layer;
        int size = checked((int)sites[0].Match.IntermediateSize);
        GateObserverOutputs outputs = new(
            context.Names.Fresh($"cats.counts.{layer}"), context.Names.Fresh($"cats.up_abs_sum.{layer}"), context.Names.Fresh($"cats.tokens.{layer}"), size);
        string weightName = "";
        if (weight is { } values)
        {
            weightName = context.Names.Fresh($"cats.observer_weight.{layer}");
            context.Model.Proto.Graph.Initializer.Add(NodeBuilder.Floats(weightName, values.Span, scalar: false));
        }

        List<(GraphScope Scope, string Name)> counts = [];
        List<(GraphScope Scope, string Name)> sums = [];
        List<(GraphScope Scope, string Name)> tokens = [];
        foreach (MlpSite site in sites)
        {
            GraphScope scope = site.Match.Scope;
            if (OutputLift.Fault(scope) is { } fault)
            {
                throw new InvalidDataException($"'{site.Name}' cannot be calibrated: {fault}.");
            }

            counts.Add((scope, lift.NameIn(scope, outputs.Counts)));
            sums.Add((scope, lift.NameIn(scope, outputs.UpAbsSum)));
            tokens.Add((scope, lift.NameIn(scope, outputs.Tokens)));
            ActivatedGate gate = ActivatedGate.Of(site, context.Names);
            string passed = context.Names.Fresh($"{gate.Activated}.observed");
            NodeProto node = NodeBuilder.Node(
                OpSchemas.GateObserver.Name,
                weightName.Length == 0 ? [gate.Activated, gate.Up] : [gate.Activated, gate.Up, weightName],
                [passed, counts[^1].Name, sums[^1].Name, tokens[^1].Name]);
            node.Domain = OpSchemas.Domain;
            node.Name = context.Names.Fresh($"{site.Name}/{OpSchemas.GateObserver.Name}");
            NodeProto product = site.Match.Product.ProductNode;
            context.Editor.Replace([product], [.. gate.Before, node, gate.Product(passed)], product);
        }

        lift.Lift(counts, outputs.Counts, DataType.Int64, [OpSchemas.HistogramBins]);
        lift.Lift(sums, outputs.UpAbsSum, DataType.Double, [size]);
        lift.Lift(tokens, outputs.Tokens, DataType.Int64, []);
        return outputs;
    }

    private static void RequireWeights(MlpSurvey survey, IReadOnlyList<ReadOnlyMemory<float>>? weights)
    {
        int layers = survey.Sites.Select(site => site.Layer).Distinct().Count();
        if (weights is not null && weights.Count != layers)
        {
            throw new ArgumentException($"There are weights for {weights.Count} layers; the model has {layers}.", nameof(weights));
        }

        foreach (MlpSite site in weights is null ? [] : survey.Sites)
        {
            if (weights![site.Layer].Length != site.Match.IntermediateSize)
            {
                throw new ArgumentException($"There are {weights[site.Layer].Length} weights for layer {site.Layer} '{site.Name}'; it has {site.Match.IntermediateSize} neurons.", nameof(weights));
            }
        }
    }
}
