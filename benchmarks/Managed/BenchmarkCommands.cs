// SPDX-License-Identifier: MIT
// The benchmarks' command line: one verb for each, with the shapes that results/ were made with as defaults.
using System.CommandLine;

namespace CatsOnnx.Benchmarks;

internal static class BenchmarkCommands
{
    private static readonly Option<string?> Save = new("--save") { Description = "Folder for the result (benchmarks/results/cpu)", Recursive = true };
    private static readonly Option<string> Work = new("--work")
    {
        Description = "Folder for models; it is emptied again",
        DefaultValueFactory = _ => Path.GetTempPath(),
        Recursive = true,
    };

    public static Task<int> RunAsync(string[] args)
    {
        if (args is [LoadBenchmark.ChildVerb, string model])
        {
            return Task.FromResult(LoadBenchmark.RunChild(model));
        }

        string command = "dotnet run --project benchmarks/Managed -- " + string.Join(' ', args);
        RootCommand root = new("Benchmarks of CatsOnnx through ONNX Runtime") { Save, Work, Mlp(command), Load(command), Rewrite(command), Overhead(command) };
        return root.Parse(args).InvokeAsync();
    }

    private static Command Mlp(string line)
    {
        Option<int> hidden = Number("--hidden", 4096, "Width of the input");
        Option<int> intermediate = Number("--intermediate", 11008, "Neurons");
        Option<int> copies = Number("--copies", 4, "MLPs in rotation: 4 of Llama-2-7B's shape are 2.2 GB");
        Option<int> threads = Number("--threads", 0, "Threads; 0 is one for each core");
        Option<int> pairs = Number("--pairs", 60, "Pairs to time for each row count up to 8");
        Option<double[]> sparsity = new("--sparsity") { AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [0, .5, .7, .9] };
        Option<int[]> rows = new("--rows") { AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1] };
        Option<string> name = new("--name") { Description = "Name of the result's file", DefaultValueFactory = _ => "mlp" };
        Command command = new("mlp", "One gated MLP: dense nodes against the sparse operator") { hidden, intermediate, copies, threads, pairs, sparsity, rows, name };
        command.SetAction(parsed => WithWork(parsed, work =>
        {
            int width = parsed.GetValue(hidden);
            int neurons = parsed.GetValue(intermediate);
            ResultTable table = new(
                $"One gated MLP, {width} x {neurons}, float32: dense ONNX Runtime nodes against SparseGatedMlp",
                "sparsity", "rows", "dense, ms", "sparse, ms", "x dense", "quartiles", "GB/s read", "pairs");
            table.Note($"Weights rotate over {parsed.GetValue(copies)} MLPs. Times are medians of pairs run in turns, the ratio is the median of the pairs' ratios.");
            MlpBenchmark.Run(
                work, width, neurons, parsed.GetValue(sparsity)!, parsed.GetValue(rows)!, parsed.GetValue(copies), parsed.GetValue(threads), parsed.GetValue(pairs), table);
            table.Finish(parsed.GetValue(Save), parsed.GetValue(name)!, line);
        }));
        return command;
    }

    private static Command Load(string line)
    {
        Option<string> shape = Shape();
        Option<int> pairs = Number("--pairs", 5, "Loads of each");
        Command command = new("load", "Load time and memory of a rewritten model against its source") { shape, pairs };
        command.SetAction(parsed => WithWork(parsed, work =>
        {
            ResultTable table = new($"Loading {parsed.GetValue(shape)}, float32: rewritten at 50% against its source", "what", "source", "rewritten", "ratio");
            table.Note($"Each load is a process of its own, in turns; medians of {parsed.GetValue(pairs)}. A window is 8 tokens.");
            (string source, string rewritten) = SparseModel.Make(work, parsed.GetValue(shape)!, .5);
            LoadBenchmark.Run(source, rewritten, parsed.GetValue(pairs), table);
            table.Finish(parsed.GetValue(Save), "load", line);
        }));
        return command;
    }

    private static Command Rewrite(string line)
    {
        Option<int> layers = Number("--layers", 20, "MLPs of 4096 x 11008 in float32, 541 MB each");
        Option<int> pairs = Number("--pairs", 3, "Runs of each");
        Option<string> tool = new("--tool") { Description = "cats.dll", DefaultValueFactory = _ => SparseModel.ToolPath };
        Command command = new("rewrite", "cats rewrite of a large sparse file against cp") { layers, pairs, tool };
        command.SetAction(parsed => WithWork(parsed, work =>
        {
            ResultTable table = new("cats rewrite --check off against cp --sparse=never", "model", "GB", "rewrite, s", "GB/s", "cp, s", "cp time / rewrite time", "peak memory (VmHWM), MiB");
            (string model, string thresholds) = SparseModel.MakeHoles(work, parsed.GetValue(layers));
            RewriteBenchmark.Run(parsed.GetValue(tool)!, model, thresholds, work, parsed.GetValue(pairs), table);
            Directory.Delete(Path.GetDirectoryName(model)!, recursive: true);
            (string source, string rewritten) = SparseModel.Make(Path.Combine(work, "made"), "tinyllama-1.1b", 0.5);
            RewriteBenchmark.Run(
                parsed.GetValue(tool)!, Path.Combine(source, "model.onnx"), Path.Combine(rewritten, "thresholds.json"), work, parsed.GetValue(pairs), table);
            table.Note($"holes: a file without data, which cats keeps so (it hashes the zeros) and cp writes out. The other has random weights throughout.");
            table.Note($"Both wait for the disk (fsync, sync -f). {parsed.GetValue(pairs)} runs of each in turns.");
            table.Finish(parsed.GetValue(Save), "rewrite", line);
        }));
        return command;
    }

    private static Command Overhead(string line)
    {
        Argument<string[]> models = new("models") { Description = "Model folders with a tokenizer" };
        Option<int> tokens = Number("--tokens", 200, "Tokens of a request");
        Option<int> requests = Number("--requests", 15, "Requests to time");
        Command command = new("overhead", "The host's own time and memory for each decoded token") { models, tokens, requests };
        command.SetAction(parsed =>
        {
            ResultTable table = new(
                "What the host costs for each decoded token, beyond ONNX Runtime's own Run",
                "model", "tokens are", "in Run, us", "beyond Run, us", "bytes allocated", "tokens of a request", "requests");
            table.Note($"Medians over the requests. Beyond Run: binding, inputs, the choice of the token, its text, the callback. Allocated: on the generator's thread, by .NET.");
            foreach (string model in parsed.GetValue(models)!)
            {
                string name = $"{Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(model)))}/{Path.GetFileName(Path.TrimEndingDirectorySeparator(model))}";
                OverheadBenchmark.Run(model, name, parsed.GetValue(tokens), parsed.GetValue(requests), sampling: false, table);
                OverheadBenchmark.Run(model, name, parsed.GetValue(tokens), parsed.GetValue(requests), sampling: true, table);
            }

            table.Finish(parsed.GetValue(Save), "overhead", line);
            return 0;
        });
        return command;
    }

    private static Option<string> Shape() => new("--shape") { Description = "A shape of cats make-model", DefaultValueFactory = _ => "tinyllama-1.1b" };

    private static Option<int> Number(string name, int value, string description) => new(name) { Description = description, DefaultValueFactory = _ => value };

    private static int WithWork(ParseResult parsed, Action<string> run)
    {
        string work = Directory.CreateDirectory(Path.Combine(parsed.GetValue(Work)!, "cats-bench-" + Path.GetRandomFileName())).FullName;
        try
        {
            run(work);
            return 0;
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }
}
