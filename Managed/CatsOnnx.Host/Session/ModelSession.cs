// SPDX-License-Identifier: MIT
// An InferenceSession whose graph is understood as a language model.
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Memory;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Session;

/// <summary>A language model ready to run. Runs may happen on several threads; disposing waits for none of them and
/// frees the session when the last has ended.</summary>
public sealed class ModelSession : IDisposable
{
    private readonly OpenedSession _opened;
    private readonly Lock _lock = new();
    private WindowRunner? _windows;
    private int _users;
    private int _cudaGraphs;
    private bool _disposed;

    private ModelSession(OpenedSession opened, int fusedNorms, ModelFolder folder, ModelSignature signature, ModelSessionOptions options)
    {
        _opened = opened;
        FusedNorms = fusedNorms;
        Folder = folder;
        Signature = signature;
        Options = options;
        ModelConfig config = folder.Config;
        LayerCache? first = signature.Layers.Count > 0 ? signature.Layers[0] : null;
        Config = config with
        {
            VocabSize = signature.VocabSize,
            NumHiddenLayers = config.NumHiddenLayers ?? (first is null ? null : signature.Layers.Count),
            NumKeyValueHeads = config.NumKeyValueHeads ?? first?.KeyValueHeads,
            HeadDim = config.HeadDim ?? first?.HeadDim,
        };
    }

    /// <summary>Where the model lies.</summary>
    public ModelFolder Folder { get; }

    /// <summary>What its files and its graph say about it.</summary>
    public ModelConfig Config { get; }

    /// <summary>The graph's inputs and outputs by role.</summary>
    public ModelSignature Signature { get; }

    /// <summary>The options that it was opened with.</summary>
    public ModelSessionOptions Options { get; }

    /// <summary>ONNX Runtime's session, for what is not here. It belongs to this object.</summary>
    public InferenceSession Inference => _opened.Inference;

    /// <summary>Where the nodes of ai.cats were placed.</summary>
    public CatsPlacement CatsKernels => _opened.Kernels;

    /// <summary>How many sparse MLPs do the residual addition and the norm before them in their own kernel
    /// (<see cref="ModelSessionOptions.FuseNorms"/>).</summary>
    public int FusedNorms { get; }

    /// <summary>Whether decoding may replay a CUDA graph.</summary>
    public bool UsesCudaGraph => _opened.Graph;

    /// <summary>Why ONNX Runtime refused to capture this model's graph, or null.</summary>
    public string? CudaGraphRefusal => _opened.GraphRefusal;

    /// <summary>The memory of the session's device.</summary>
    internal TensorPlace Place => _opened.Place;

    /// <summary>A number for a CUDA graph of this session that none had before.</summary>
    internal int NextCudaGraph() => Interlocked.Increment(ref _cudaGraphs);

    /// <summary>Held by a run on a GPU.</summary>
    internal Lock RunLock { get; } = new();

    /// <summary>Opens the graph of a folder. Where its configuration has a sliding window that the exporter left out of the
    /// attention nodes, they get it in memory (<see cref="SlidingWindow"/>); where <see cref="ModelSessionOptions.FuseNorms"/> asks for
    /// it, sparse MLPs take in the norms before them. Neither changes the file.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="options">Device, threads and more, or null for the default ones.</param>
    /// <exception cref="InvalidDataException">ONNX Runtime cannot load the graph, or it is no language model that is understood.</exception>
    /// <exception cref="InvalidModelException">The graph is to be changed in memory, and its file or external data is damaged.</exception>
    /// <exception cref="DllNotFoundException">The model uses ai.cats and the native library is nowhere.</exception>
    public static ModelSession Open(ModelFolder folder, ModelSessionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        options ??= new ModelSessionOptions();
        bool usesCats = CatsDomain.IsImported(folder.ModelPath);
        bool fuses = usesCats && NormFusion.IsWanted(options);
        if (folder.Config.SlidingWindow is not null || fuses)
        {
            // To be fused is no reason to refuse what opens as it is: ONNX Runtime takes a file with several hard links.
            OnnxModel graph = OnnxModel.Load(folder.ModelPath, allowHardLinks: folder.Config.SlidingWindow is null);
            int windows = SlidingWindow.Apply(graph.Proto.Graph, folder.Config);
            int norms = fuses ? FuseSkipRMSNorm.Apply(graph) : 0;
            if (windows + norms > 0)
            {
                return Create(graph.ToBytes(), usesCats, folder, options, [], norms);
            }
        }

        return Create(folder, options, usesCats, 0, null, [], made => new InferenceSession(folder.ModelPath, made));
    }

    /// <summary>Opens the graph of a folder with an output of active neurons for each sparse layer, in memory alone.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="counts">The outputs, and each layer's number of neurons; none for a dense model.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <exception cref="InvalidDataException">ONNX Runtime cannot load the graph, or it is no language model that is understood.</exception>
    /// <exception cref="DllNotFoundException">The model uses ai.cats and the native library is nowhere.</exception>
    public static ModelSession OpenCounting(ModelFolder folder, out IReadOnlyList<ActiveCount> counts, ModelSessionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        OnnxModel graph = OnnxModel.Load(folder.ModelPath);
        counts = ExposeActiveCounts.Apply(graph);

        // A dense graph is opened from its file, so that a model of any size is read only once.
        return counts.Count == 0 ? Open(folder, options) : Open(graph, folder, options, [.. counts.Select(count => count.Output)]);
    }

    /// <summary>Opens a changed copy of a folder's graph with an output of active neurons for each sparse layer.</summary>
    /// <param name="graph">The copy; it is not changed.</param>
    /// <param name="folder">The model that it was made from.</param>
    /// <param name="counts">The outputs, and each layer's number of neurons; none for a dense graph.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <exception cref="InvalidDataException">ONNX Runtime cannot load the graph, or it is no language model that is understood.</exception>
    /// <exception cref="DllNotFoundException">The model uses ai.cats and the native library is nowhere.</exception>
    public static ModelSession OpenCounting(OnnxModel graph, ModelFolder folder, out IReadOnlyList<ActiveCount> counts, ModelSessionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        OnnxModel copy = graph.Clone();
        counts = ExposeActiveCounts.Apply(copy);
        return Open(copy, folder, options, [.. counts.Select(count => count.Output)]);
    }

    /// <summary>Opens a changed copy of a folder's graph; a configured sliding window is put into it, and norms are fused, as
    /// <see cref="Open(ModelFolder, ModelSessionOptions?)"/> does.</summary>
    /// <param name="graph">The copy; its attention nodes may change.</param>
    /// <param name="folder">The model that it was made from.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <param name="extraOutputs">Names of outputs that were added and are no part of the language model.</param>
    /// <exception cref="InvalidDataException">ONNX Runtime cannot load the graph, or it is no language model that is understood.</exception>
    /// <exception cref="DllNotFoundException">The model uses ai.cats and the native library is nowhere.</exception>
    public static ModelSession Open(OnnxModel graph, ModelFolder folder, ModelSessionOptions? options = null, IReadOnlyCollection<string>? extraOutputs = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(folder);
        options ??= new ModelSessionOptions();
        SlidingWindow.Apply(graph.Proto.Graph, folder.Config);
        bool usesCats = graph.Proto.OpsetImport.Any(import => import.Domain == CatsOps.Domain);
        int norms = 0;
        if (usesCats && NormFusion.IsWanted(options))
        {
            graph = graph.Clone(); // the caller's keeps its nodes, so that it can be opened once more, as on the CPU; weights are not copied
            norms = FuseSkipRMSNorm.Apply(graph);
        }

        return Create(graph.ToBytes(), usesCats, folder, options, extraOutputs ?? [], norms);
    }

    /// <summary>Opens a graph in memory, such as a copy with outputs added; norms are fused as
    /// <see cref="Open(ModelFolder, ModelSessionOptions?)"/> does.</summary>
    /// <param name="model">The bytes of an ONNX model.</param>
    /// <param name="folder">The model that it was made from: external data is relative to its
    /// <see cref="ModelFolder.ModelDirectory"/>.</param>
    /// <param name="options">Options, or null for the default ones.</param>
    /// <param name="extraOutputs">Names of outputs that were added and are no part of the language model.</param>
    /// <exception cref="InvalidDataException">ONNX Runtime cannot load the graph, or it is no language model that is understood.</exception>
    /// <exception cref="DllNotFoundException">The model uses ai.cats and the native library is nowhere.</exception>
    public static ModelSession Open(byte[] model, ModelFolder folder, ModelSessionOptions? options = null, IReadOnlyCollection<string>? extraOutputs = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(folder);
        options ??= new ModelSessionOptions();
        bool usesCats = CatsDomain.IsImported(model);
        int norms = 0;
        if (usesCats && NormFusion.IsWanted(options))
        {
            (model, norms) = NormFusion.Apply(model);
        }

        return Create(model, usesCats, folder, options, extraOutputs ?? [], norms);
    }

    /// <summary>Runs one window without a past and gives its logits and extra outputs. One call at a time; for several at
    /// once make a <see cref="WindowRunner"/> each.</summary>
    /// <param name="ids">Token ids, at positions 0 to ids.Length - 1.</param>
    /// <param name="thresholdScale">Multiplies every threshold of a rewritten model; null leaves the model's own value (1).</param>
    /// <param name="cancellationToken">Ends the run early.</param>
    /// <returns>What the run gave; it holds until the next call.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary, or there are none or too many.</exception>
    /// <exception cref="InvalidOperationException">A scale was given and the model has no cats.threshold_scale.</exception>
    /// <exception cref="OperationCanceledException">The run was ended.</exception>
    public WindowOutput RunWindow(ReadOnlySpan<int> ids, float? thresholdScale = null, CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _windows ??= new WindowRunner(this);
        }

        return _windows.Run(ids, thresholdScale, cancellationToken);
    }

    /// <summary>Frees the session, at once or when the last run has ended.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            if (_users > 0)
            {
                return;
            }
        }

        Free();
    }

    /// <summary>Keeps the session alive until the result is disposed.</summary>
    internal Usage Use()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _users++;
            return new Usage(this);
        }
    }

    private static ModelSession Create(
        byte[] model, bool usesCats, ModelFolder folder, ModelSessionOptions options, IReadOnlyCollection<string> extraOutputs, int fusedNorms) =>
        Create(folder, options, usesCats, fusedNorms, folder.ModelDirectory, extraOutputs, made => new InferenceSession(model, made));

    private static ModelSession Create(
        ModelFolder folder,
        ModelSessionOptions options,
        bool usesCats,
        int fusedNorms,
        string? externalDataFolder,
        IReadOnlyCollection<string> extraOutputs,
        Func<SessionOptions, InferenceSession> open)
    {
        OpenedSession opened = OpenedSession.Open(folder, options, usesCats, externalDataFolder, open);
        try
        {
            ModelSession session = new(opened, fusedNorms, folder, ModelSignature.Read(opened.Inference, folder, extraOutputs), options);
            options.Opened?.Invoke(session);
            return session;
        }
        catch (InvalidDataException error)
        {
            opened.Dispose();
            throw new InvalidDataException($"'{folder.ModelPath}': {error.Message}", error);
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    private void Release()
    {
        lock (_lock)
        {
            if (--_users > 0 || !_disposed)
            {
                return;
            }
        }

        Free();
    }

    private void Free()
    {
        _windows?.Dispose();
        _opened.Dispose();
    }

    /// <summary>A use of the session that keeps it alive.</summary>
    internal readonly struct Usage(ModelSession session) : IDisposable
    {
        public void Dispose() => session.Release();
    }
}
