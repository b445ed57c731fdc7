// SPDX-License-Identifier: MIT
// One run over a text that gives every figure: windows for perplexity, accuracy, sparsity and divergence, then choice items.
using System.Diagnostics;
using CatsOnnx.Evaluation.Tasks;
using CatsOnnx.Session;
using CatsOnnx.Text;

namespace CatsOnnx.Evaluation;

/// <summary>Evaluates models.</summary>
public static class EvaluationRun
{
    // Logits of a batch, of one model: enough windows to keep the cores busy, few enough to stay in memory.
    private const long LogitBytes = 64L << 20;

    /// <summary>Measures one model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="windows">The text, in the ids of the model's tokenizer.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <param name="cancellationToken">Ends the run within one operator.</param>
    /// <exception cref="InvalidDataException">The model cannot be loaded, is no language model, or gives logits that are no numbers.</exception>
    /// <exception cref="InvalidOperationException">A threshold scale was given for a model that was not rewritten.</exception>
    /// <exception cref="OperationCanceledException">The run was ended.</exception>
    public static EvaluationResult Run(
        ModelFolder model, TextWindows windows, EvaluationOptions? options = null, CancellationToken cancellationToken = default)
        => RunAll([model], windows, options, cancellationToken)[0];

    /// <summary>Measures several models side by side; a model that is also <see cref="EvaluationOptions.Against"/> is run once.</summary>
    /// <param name="models">The models; all are loaded at once.</param>
    /// <param name="windows">The text, in the ids of the models' common tokenizer.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <param name="cancellationToken">Ends the run within one operator.</param>
    /// <returns>A result for each model, in their order.</returns>
    /// <inheritdoc cref="Run" path="/exception"/>
    public static IReadOnlyList<EvaluationResult> RunAll(
        IReadOnlyList<ModelFolder> models, TextWindows windows, EvaluationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(windows);
        options ??= new();
        if (options.Graph is not null && models.Count != 1)
        {
            throw new ArgumentException($"A graph in memory is that of one model; {models.Count} are evaluated.", nameof(options));
        }

        List<EvaluatedModel> opened = [];
        EvaluatedModel? other = null;
        try
        {
            foreach (ModelFolder model in models)
            {
                opened.Add(EvaluatedModel.Open(model, options.Session, options.ThresholdScale, options.Graph));
            }

            // With a scale, or a graph in memory, the model compared with is another one than the same files without.
            int same = options.ThresholdScale is null && options.Graph is null ? models.ToList().FindIndex(model => model.ModelPath == options.Against?.ModelPath) : -1;
            other = options.Against is null ? null
                : same >= 0 ? opened[same]
                : EvaluatedModel.Open(options.Against, options.Session, thresholdScale: null);
            EvaluationResult[] results = Windows(opened, other, windows, options, cancellationToken);
            return options.Choice ? Choices(opened, results, windows, options, cancellationToken) : results;
        }
        finally
        {
            opened.ForEach(model => model.Dispose());
            other?.Dispose();
        }
    }

    private static EvaluationResult[] Windows(
        List<EvaluatedModel> models, EvaluatedModel? other, TextWindows windows, EvaluationOptions options, CancellationToken cancellationToken)
    {
        IWindowTask[][] tasks = [.. models.Select(model => TaskCatalog.Make(model.IntermediateSizes))];
        int most = (int)Math.Clamp(LogitBytes / sizeof(float) / windows.Length / models[0].VocabSize, 1, 16);
        Stopwatch clock = Stopwatch.StartNew();
        for (int first = 0; first < windows.Count; first += most)
        {
            int count = Math.Min(most, windows.Count - first);
            int[] ids = windows.Ids.Slice(first * windows.Length, count * windows.Length).ToArray();
            int[] targets = [.. Enumerable.Range(first, count).SelectMany(window => windows.Targets(window).ToArray())];
            using ReadBatch? others = other?.Read(ids, count, cancellationToken);
            for (int index = 0; index < models.Count; index++)
            {
                using ReadBatch? own = models[index] == other ? null : models[index].Read(ids, count, cancellationToken);
                ReadBatch read = own ?? others!;
                WindowBatch batch = new(read.Logits, read.Statistics, targets, read.Active, others?.Logits, others?.Statistics);
                foreach (IWindowTask task in tasks[index])
                {
                    task.Observe(batch);
                }
            }

            options.Progress?.Report(new("Reading windows", (long)(first + count) * windows.Length, windows.TokenCount, clock.Elapsed));
        }

        return [.. tasks.Select(own => own.Aggregate(
            new EvaluationResult { Tokens = windows.TokenCount }, (result, task) => task.Report(result)))];
    }

    private static EvaluationResult[] Choices(
        List<EvaluatedModel> models, EvaluationResult[] results, TextWindows windows, EvaluationOptions options, CancellationToken cancellationToken)
    {
        IReadOnlyList<int> starts = ContinuationChoice.Starts(windows.TokenCount);
        ChoiceScorer[] scorers = [.. models.Select(model => new ChoiceScorer(model))];
        long perItem = ContinuationChoice.ContextLength + ContinuationChoice.Candidates * ContinuationChoice.CandidateLength;
        Stopwatch clock = Stopwatch.StartNew();
        for (int first = 0; first < starts.Count; first += ChoiceScorer.ItemsAtOnce)
        {
            int[] group = [.. starts.Skip(first).Take(ChoiceScorer.ItemsAtOnce)];
            foreach (ChoiceScorer scorer in scorers)
            {
                scorer.Score(windows.Ids, group, cancellationToken);
            }

            options.Progress?.Report(new("Choosing continuations", (first + group.Length) * perItem, starts.Count * perItem, clock.Elapsed));
        }

        return [.. results.Zip(scorers, (result, scorer) => scorer.Report(result))];
    }
}
