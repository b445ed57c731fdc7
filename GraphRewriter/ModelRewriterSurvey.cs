// SPDX-License-Identifier: MIT
// The MLPs of a model with names, layers and statuses: what reports and passes start from.
using CatsOnnx.GraphRewriter.Matching;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.GraphRewriter.Patterns;
using CatsOnnx.GraphRewriter.Patterns.Linear;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter;

/// <summary>A model that was looked through.</summary>
internal sealed class MlpSurvey
{
    private readonly List<MlpReport> _mlps = [];
    private readonly List<MlpSite> _sites = [];
    private readonly List<LayerShape> _layers = [];

    private MlpSurvey(GraphIndex index, ModelProto source, ModelProto inlined)
    {
        Index = index;
        Source = source;
        Inlined = inlined;
    }

    /// <summary>The graph's index.</summary>
    public GraphIndex Index { get; }

    /// <summary>A copy of the graph as it was.</summary>
    public ModelProto Source { get; }

    /// <summary>The graph that <see cref="Index"/> and <see cref="Sites"/> are of: the model's own, or a copy with functions inlined.</summary>
    public ModelProto Inlined { get; }

    /// <summary>The MLPs that can be rewritten.</summary>
    public IReadOnlyList<MlpSite> Sites => _sites;

    /// <summary>What a person should know.</summary>
    public List<string> Notes { get; } = [];

    private string ModelHash { get; set; } = "";

    /// <summary>Looks a model through.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">For a rewrite: which weights to refuse.</param>
    public static MlpSurvey Of(OnnxModel model, RewriteOptions? options = null)
    {
        ModelProto source = model.Proto.Clone();
        string hash = ModelFingerprint.Compute(model);
        model = model.Proto.Functions.Count == 0 ? model : model.Clone();
        IReadOnlyList<MlpFinding> inFunctions = InlineMlpFunctions.Run(model);
        MatchContext context = new(new GraphIndex(model.Proto), new ConstantReader(model.Read));
        MlpSurvey survey = new(context.Index, source, model.Proto);
        HashSet<string> names = new(StringComparer.Ordinal);
        Dictionary<GatedMlpMatch, int> layers = new(ReferenceEqualityComparer.Instance);
        List<GatedMlpMatch> firstOfLayer = [];
        long opset = EmbedOpFunctions.OpsetOf(model.Proto);
        string? tooOld = opset < OpFunctions.OldestOpset
            ? $"the model uses operators of ONNX version {opset}; {OpFunctions.OldestOpset} or later is needed: convert or export it anew"
            : null;
        foreach (MlpFinding found in MlpFinder.Find(context).Concat(inFunctions))
        {
            MlpFinding finding = found with { Reason = found.Reason ?? tooOld };
            int number = survey._mlps.Count;
            int? layer = null;
            if (finding is { Reason: null, Match: { } fusable })
            {
                layer = LayerOf(fusable, layers, firstOfLayer);
            }

            string name = NameOf(finding, layer ?? number);
            name = names.Add(name) ? name : $"{name}#{number}";
            names.Add(name);
            if (layer == survey._layers.Count)
            {
                survey._layers.Add(new LayerShape(name, finding.Match!.HiddenSize, finding.Match.IntermediateSize));
            }

            string? reason = finding.Reason ?? (options is null ? null : NonFinite(finding.Match!, model, options));
            survey._mlps.Add(Report(finding, name, layer, reason));
            if (reason is null)
            {
                survey._sites.Add(new MlpSite(finding.Match!, layer!.Value, name));
            }
        }

        survey.ModelHash = hash;
        return survey;
    }

    /// <summary>Makes <see cref="Inlined"/> the model's graph, before it is edited.</summary>
    /// <param name="model">The model that was looked through.</param>
    public void Adopt(OnnxModel model)
    {
        if (!ReferenceEquals(Inlined, model.Proto))
        {
            model.Proto.Graph = Inlined.Graph;
            List<OperatorSetIdProto> imports = [.. Inlined.OpsetImport];
            model.Proto.OpsetImport.Clear();
            model.Proto.OpsetImport.AddRange(imports);
        }
    }

    /// <summary>The report, with a status for the MLPs that can be rewritten.</summary>
    /// <param name="status">Fusable or fused.</param>
    /// <param name="form">For fused ones: the output form.</param>
    public RewriteReport Report(MlpStatus status, string? form = null) => new()
    {
        Mlps = [.. _mlps.Select(mlp => mlp.Status == MlpStatus.Refused
            ? mlp
            : mlp with { Status = status, Form = form is null ? mlp.Form : $"{(form == "fused" ? OpSchemas.SparseGatedMlp.Name : OpSchemas.CatsThreshold.Name)} ({mlp.Form})" })],
        Layers = _layers,
        ModelHash = ModelHash,
        Notes = Notes,
    };

    // MLPs with the same weights at the same place in the branches of one If are one layer: only one of them runs.
    private static int LayerOf(GatedMlpMatch match, Dictionary<GatedMlpMatch, int> layers, List<GatedMlpMatch> firstOfLayer)
    {
        HashSet<int> used = [.. layers.Where(known => ReferenceEquals(known.Key.Scope, match.Scope)).Select(known => known.Value)];
        foreach ((GatedMlpMatch known, int layer) in layers)
        {
            if (!used.Contains(layer) && match.Scope.Owner is { OpType: "If" } owner && ReferenceEquals(known.Scope.Owner, owner)
                && !ReferenceEquals(known.Scope, match.Scope) && SameWeights(known, match))
            {
                layers.Add(match, layer);
                return layer;
            }
        }

        layers.Add(match, firstOfLayer.Count);
        firstOfLayer.Add(match);
        return firstOfLayer.Count - 1;
    }

    private static bool SameWeights(GatedMlpMatch a, GatedMlpMatch b) =>
        ReferenceEquals(a.GateUp.Gate.Weight!.Tensor, b.GateUp.Gate.Weight!.Tensor) && ReferenceEquals(a.GateUp.Up.Weight!.Tensor, b.GateUp.Up.Weight!.Tensor)
        && ReferenceEquals(a.Down.Weight!.Tensor, b.Down.Weight!.Tensor);

    private static MlpReport Report(MlpFinding finding, string name, int? layer, string? reason) => new()
    {
        Name = name,
        Status = reason is null ? MlpStatus.Fusable : MlpStatus.Refused,
        Reason = reason,
        Node = GraphText.Place(finding.Node),
        HiddenSize = finding.Match?.HiddenSize ?? 0,
        IntermediateSize = finding.Match?.IntermediateSize ?? 0,
        Dtype = finding.Match is { ElementType: not 0 } match ? ElementTypes.Name(match.ElementType) : null,
        Form = finding.Match?.Form,
        Layer = layer,
    };

    private static string? NonFinite(GatedMlpMatch match, OnnxModel model, RewriteOptions options)
    {
        foreach (LinearMatch linear in new[] { match.GateUp.Gate, match.GateUp.Up, match.Down })
        {
            foreach (TensorProto tensor in new[] { linear.Weight?.Tensor, linear.Bias?.Tensor }.OfType<TensorProto>())
            {
                bool named = options.NonFinite.Any(name => name == tensor.Name || name.StartsWith(tensor.Name + ".", StringComparison.Ordinal));
                if (named || (options.CheckFinite && !model.IsFinite(tensor)))
                {
                    return $"the tensor '{tensor.Name}' holds NaN or infinity; a dense MLP would show them for neurons that a sparse one skips";
                }
            }
        }

        return null;
    }

    private static string NameOf(MlpFinding finding, int number)
    {
        List<string> names = [.. finding.Match is { } match
            ? new[] { match.GateUp.Gate.Nodes[0].Name, match.GateUp.Up.Nodes[0].Name, match.Down.Nodes[0].Name }
            : [finding.Anchor.Name]];
        if (names.All(name => name.Contains('/')))
        {
            string[][] parts = [.. names.Select(name => name.Split('/'))];
            int common = 0;
            while (parts.All(part => common < part.Length - 1 && part[common] == parts[0][common]))
            {
                common++;
            }

            string shared = string.Join('/', parts[0][..common]);
            if (shared.Trim('/').Length > 0)
            {
                return shared;
            }
        }

        return $"mlp.{number}";
    }
}
