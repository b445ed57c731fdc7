// SPDX-License-Identifier: MIT
// A decoder of a given shape with random weights, as ONNX Runtime GenAI's model builder lays one out, so that nobody needs
// real weights to measure. Each layer: norm, QKV, GroupQueryAttention with rotary embedding, O, norm, gated MLP.
using System.Buffers.Binary;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;
using CatsOnnx.GraphRewriter.Storage;
using static CatsOnnx.GraphRewriter.Proto.TensorProto.Types;

namespace CatsOnnx.GraphRewriter.Synthesis;

/// <summary>Makes decoders with random weights.</summary>
public sealed class DecoderModel
{
    private const float NormEpsilon = 1e-5f;
    private const double RotaryBase = 10000;
    private const string Microsoft = "com.microsoft";
    private const string PastLengths = "/model/attn_mask_reformat/attn_mask_subgraph/Sub/Cast/output_0";
    private const string TotalLength = "/model/attn_mask_reformat/attn_mask_subgraph/Gather/Cast/output_0";

    private readonly DecoderShape _shape;
    private readonly DecoderDtype _dtype;
    private readonly ulong _seed;
    private readonly Dictionary<double, NormalTable> _tables = [];
    private readonly GraphProto _graph = new() { Name = "main_graph" };
    private readonly OnnxModel _model;
    private int _tensors;

    private DecoderModel(DecoderShape shape, DecoderDtype dtype, ulong seed)
    {
        shape.RequireSound();
        (_shape, _dtype, _seed) = (shape, dtype, seed);
        ModelProto proto = new() { IrVersion = 10, ProducerName = "cats make-model", Graph = _graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = string.Empty, Version = 22 });
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = Microsoft, Version = 1 });
        _model = OnnxModel.FromProto(proto);
    }

    private DataType Type => _dtype switch
    {
        DecoderDtype.Fp32 => DataType.Float,
        DecoderDtype.Fp16 => DataType.Float16,
        _ => DataType.Bfloat16,
    };

    /// <summary>Writes model.onnx, model.onnx.data and genai_config.json into a folder; its bytes depend on nothing but the arguments.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="dtype">Element type of weights, activations and cache; logits are float32 for bfloat16, as the builder has them.</param>
    /// <param name="seed">Other seeds give other weights.</param>
    /// <param name="folder">Made where it is absent; must not hold a model.</param>
    /// <param name="progress">Told about bytes written.</param>
    /// <param name="cancellation">Stops the writing.</param>
    /// <returns>The files of the model.</returns>
    /// <exception cref="ArgumentException">The shape is impossible.</exception>
    /// <exception cref="IOException">The folder holds a model, or the disk is full.</exception>
    public static IReadOnlyList<SavedFile> Write(
        DecoderShape shape, DecoderDtype dtype, ulong seed, string folder, IProgress<SaveProgress>? progress = null, CancellationToken cancellation = default)
    {
        OnnxModel model = Build(shape, dtype, seed);
        Directory.CreateDirectory(folder);
        SaveOptions options = new() { PreferExternal = true, ExternalDataFileName = "model.onnx.data" };
        IReadOnlyList<SavedFile> files = model.Save(Path.Combine(folder, "model.onnx"), options, progress, cancellation);
        File.WriteAllText(Path.Combine(folder, "genai_config.json"), GenAiConfig.Of(shape));
        return files;
    }

    /// <summary>The same model in memory; its weights are computed when it is saved or turned into bytes.</summary>
    /// <inheritdoc cref="Write"/>
    public static OnnxModel Build(DecoderShape shape, DecoderDtype dtype, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(shape);
        DecoderModel decoder = new(shape, dtype, seed);
        decoder.BuildGraph();
        return decoder._model;
    }

    private void BuildGraph()
    {
        int hidden = _shape.HiddenSize;
        _graph.Input.Add(Value("input_ids", DataType.Int64, "batch_size", "sequence_length"));
        _graph.Input.Add(Value("attention_mask", DataType.Int64, "batch_size", "total_sequence_length"));
        DataType logits = _dtype == DecoderDtype.Bf16 ? DataType.Float : Type;
        _graph.Output.Add(Value("logits", logits, "batch_size", "sequence_length", _shape.VocabularySize));
        foreach (string part in new[] { "key", "value" })
        {
            for (int layer = 0; layer < _shape.Layers; layer++)
            {
                _graph.Input.Add(Value($"past_key_values.{layer}.{part}", Type, "batch_size", _shape.KeyValueHeads, "past_sequence_length", _shape.HeadSize));
                _graph.Output.Add(Value($"present.{layer}.{part}", Type, "batch_size", _shape.KeyValueHeads, "total_sequence_length", _shape.HeadSize));
            }
        }

        MaskNodes();
        RotaryCaches();
        string residual = Node("Gather", "/model/embed_tokens/Gather", [Weight("model.embed_tokens.weight", 1, _shape.VocabularySize, hidden), "input_ids"]);
        string x = Node("SimplifiedLayerNormalization", "/model/layers.0/input_layernorm/LayerNorm", [residual, Ones("model.layers.0.input_layernorm.weight")],
            "/model/layers.0/input_layernorm", Float("epsilon", NormEpsilon), Int("axis", -1), Int("stash_type", 1));
        for (int layer = 0; layer < _shape.Layers; layer++)
        {
            string path = $"/model/layers.{layer}";
            string weights = $"model.layers.{layer}";
            string attention = Attention(layer, x, path, weights);
            (x, residual) = SkipNorm($"{path}/post_attention_layernorm", residual, attention, $"{weights}.post_attention_layernorm.weight", last: false);
            bool last = layer == _shape.Layers - 1;
            string norm = last ? $"layers.{layer + 1}.final_norm_layernorm" : $"layers.{layer + 1}.input_layernorm";
            (x, residual) = SkipNorm($"/model/{norm}", residual, Mlp(x, path, weights), $"model.{norm}.weight", last);
        }

        string head = Weight("lm_head.MatMul.weight", hidden, hidden, _shape.VocabularySize);
        NodeProto output = new() { OpType = "MatMul", Name = "/lm_head/MatMul", Input = { x, head }, Output = { "logits" } };
        _graph.Node.Add(output);
        if (logits != Type)
        {
            output.Output[0] = "/lm_head/MatMul/output_0";
            _graph.Node.Add(new NodeProto
            {
                OpType = "Cast", Name = "/lm_head/Cast", Input = { output.Output[0] }, Output = { "logits" }, Attribute = { Int("to", (long)logits) },
            });
        }
    }

    private string Attention(int layer, string x, string path, string weights)
    {
        int hidden = _shape.HiddenSize;
        string qkv = Linear(x, $"{path}/attn/qkv_proj", $"{weights}.attn.qkv_proj", hidden, (_shape.Heads + (2 * _shape.KeyValueHeads)) * _shape.HeadSize);
        string output = $"{path}/attn/GroupQueryAttention/output_0";
        _graph.Node.Add(new NodeProto
        {
            OpType = "GroupQueryAttention",
            Domain = Microsoft,
            Name = $"{path}/attn/GroupQueryAttention",
            Input =
            {
                qkv, string.Empty, string.Empty, $"past_key_values.{layer}.key", $"past_key_values.{layer}.value",
                PastLengths, TotalLength, "cos_cache", "sin_cache",
            },
            Output = { output, $"present.{layer}.key", $"present.{layer}.value" },
            Attribute =
            {
                Int("num_heads", _shape.Heads), Int("kv_num_heads", _shape.KeyValueHeads), Float("scale", (float)(1 / Math.Sqrt(_shape.HeadSize))),
                Int("local_window_size", -1), Float("softcap", 0), Int("do_rotary", 1), Int("rotary_interleaved", 0),
            },
        });
        return Linear(output, $"{path}/attn/o_proj", $"{weights}.attn.o_proj", hidden, hidden);
    }

    private string Mlp(string x, string path, string weights)
    {
        string gate = Linear(x, $"{path}/mlp/gate_proj", $"{weights}.mlp.gate_proj", _shape.HiddenSize, _shape.IntermediateSize);
        string up = Linear(x, $"{path}/mlp/up_proj", $"{weights}.mlp.up_proj", _shape.HiddenSize, _shape.IntermediateSize);
        string sigmoid = Node("Sigmoid", $"{path}/mlp/act_fn/Sigmoid", [gate]);
        string activated = Node("Mul", $"{path}/mlp/act_fn/Mul", [gate, sigmoid]);
        string product = Node("Mul", $"{path}/mlp/Mul", [activated, up]);
        return Linear(product, $"{path}/mlp/down_proj", $"{weights}.mlp.down_proj", _shape.IntermediateSize, _shape.HiddenSize);
    }

    private (string Normed, string Sum) SkipNorm(string path, string residual, string x, string weight, bool last)
    {
        NodeProto node = new()
        {
            OpType = "SkipSimplifiedLayerNormalization",
            Domain = Microsoft,
            Name = $"{path}/SkipLayerNorm",
            Input = { residual, x, Ones(weight) },
            Output = { $"{path}/output_0" },
            Attribute = { Float("epsilon", NormEpsilon) },
        };
        if (!last)
        {
            node.Output.Add([string.Empty, string.Empty, $"{path}/output_3"]);
        }

        _graph.Node.Add(node);
        return (node.Output[0], last ? string.Empty : node.Output[3]);
    }

    private void MaskNodes()
    {
        const string Path = "/model/attn_mask_reformat/attn_mask_subgraph";
        string axis = Constant("/model/constant_nodes/INT64/[1]", "/model/constants/INT64/[1]", [1]);
        string one = Constant("/model/constant_nodes/INT64/1", "/model/constants/INT64/1", []);
        string sum = Node("ReduceSum", $"{Path}/ReduceSum", ["attention_mask", axis], null, Int("keepdims", 0));
        string less = Node("Sub", $"{Path}/Sub", [sum, axis]);
        Node("Cast", $"{Path}/Sub/Cast", [less], null, Int("to", (long)DataType.Int32));
        string shape = Node("Shape", $"{Path}/Shape", ["attention_mask"]);
        string total = Node("Gather", $"{Path}/Gather", [shape, one], null, Int("axis", 0));
        Node("Cast", $"{Path}/Gather/Cast", [total], null, Int("to", (long)DataType.Int32));
    }

    private string Constant(string node, string output, long[] dims)
    {
        TensorProto tensor = new() { Name = output, DataType = (int)DataType.Int64, Dims = { dims }, RawData = Google.Protobuf.ByteString.CopyFrom(1, 0, 0, 0, 0, 0, 0, 0) };
        AttributeProto value = new() { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = tensor };
        _graph.Node.Add(new NodeProto { OpType = "Constant", Name = node, Output = { output }, Attribute = { value } });
        return output;
    }

    private void RotaryCaches()
    {
        int half = _shape.HeadSize / 2;
        byte[] cos = new byte[_shape.MaxPositions * half * NormalTable.SizeOf(_dtype)];
        byte[] sin = new byte[cos.Length];
        for (int i = 0; i < _shape.MaxPositions * half; i++)
        {
            double angle = i / half / Math.Pow(RotaryBase, i % half / (double)half);
            Put(cos, i, Math.Cos(angle));
            Put(sin, i, Math.Sin(angle));
        }

        Initializer("cos_cache", new TensorContent.Bytes(cos), _shape.MaxPositions, half);
        Initializer("sin_cache", new TensorContent.Bytes(sin), _shape.MaxPositions, half);
    }

    private string Linear(string x, string path, string weight, int inputs, int outputs) =>
        Node("MatMul", $"{path}/MatMul", [x, Weight($"{weight}.MatMul.weight", inputs, inputs, outputs)]);

    /// <summary>A matrix of normal numbers with variance 1 / fanIn, which keeps activations near 1 through all layers.</summary>
    private string Weight(string name, int fanIn, int rows, int columns)
    {
        double deviation = 1 / Math.Sqrt(fanIn);
        if (!_tables.TryGetValue(deviation, out NormalTable? table))
        {
            _tables.Add(deviation, table = new NormalTable(_dtype, deviation));
        }

        ulong stream = NormalTable.StreamOf(_seed, _tensors++);
        long length = CheckedSize.Product(rows, columns, NormalTable.SizeOf(_dtype));
        return Initializer(name, new TensorContent.Computed(length, (offset, window) => table.Fill(stream, offset, window)), rows, columns);
    }

    private string Ones(string name)
    {
        byte[] bytes = new byte[_shape.HiddenSize * NormalTable.SizeOf(_dtype)];
        for (int i = 0; i < _shape.HiddenSize; i++)
        {
            Put(bytes, i, 1);
        }

        return Initializer(name, new TensorContent.Bytes(bytes), _shape.HiddenSize);
    }

    private void Put(byte[] bytes, int index, double value)
    {
        if (_dtype == DecoderDtype.Fp32)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(index * 4), (float)value);
        }
        else
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(index * 2), NormalTable.Round(_dtype, value));
        }
    }

    private string Initializer(string name, TensorContent content, params long[] dims)
    {
        TensorProto tensor = new() { Name = name, DataType = (int)Type, Dims = { dims } };
        _model.SetContent(tensor, content);
        _graph.Initializer.Add(tensor);
        return name;
    }

    private string Node(string type, string name, string[] inputs, string? output = null, params AttributeProto[] attributes)
    {
        string result = $"{output ?? name}/output_0";
        _graph.Node.Add(new NodeProto { OpType = type, Name = name, Input = { inputs }, Output = { result }, Attribute = { attributes } });
        return result;
    }

    private static AttributeProto Int(string name, long value) => new() { Name = name, I = value, Type = AttributeProto.Types.AttributeType.Int };

    private static AttributeProto Float(string name, float value) => new() { Name = name, F = value, Type = AttributeProto.Types.AttributeType.Float };

    private static ValueInfoProto Value(string name, DataType type, params object[] dims)
    {
        TensorShapeProto shape = new();
        foreach (object dim in dims)
        {
            shape.Dim.Add(dim is string text
                ? new TensorShapeProto.Types.Dimension { DimParam = text }
                : new TensorShapeProto.Types.Dimension { DimValue = (int)dim });
        }

        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = shape } } };
    }
}
