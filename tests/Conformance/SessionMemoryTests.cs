// SPDX-License-Identifier: MIT
// Sessions come and go in a server: what one leaves behind may not add up. Nothing else runs beside this test, so that the
// process's memory is its own.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Tests.Support;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Conformance;

[CollectionDefinition(nameof(SessionMemoryTests), DisableParallelization = true)]
[Collection(nameof(SessionMemoryTests))]
public sealed class SessionMemoryTests(ITestOutputHelper output)
{
    private const int Rounds = 8;
    private const int SessionsOfRound = 1000;
    private const long BytesOfSession = 512;

    [Fact]
    public void Thousands_of_sessions_with_the_library_leave_no_memory_behind()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Skip("resident memory is read from /proc, which this system does not have");
        }

        MlpGraph graph = new();
        OnnxModel model = graph.Build(graph.Down(graph.Node("Mul", [graph.Silu(graph.Project()), graph.Project()])));
        Assert.Equal(1, ExporterTests.Rewritten(model, unfused: false, 0.3f).Fused);
        byte[] bytes = model.ToBytes();
        // Heaps grow for a while and at times later; what every session leaves behind shows in every round.
        List<long> growths = [];
        for (int round = 0; round < Rounds; round++)
        {
            long before = Resident();
            OpenAndClose(bytes, SessionsOfRound);
            growths.Add(Resident() - before);
        }

        output.WriteLine($"resident memory grew by {string.Join(", ", growths.Select(growth => growth / 1024))} KiB in {Rounds} rounds of {SessionsOfRound} sessions");
        long typical = growths.Skip(1).Order().ElementAt((Rounds - 1) / 2);
        Assert.True(typical < BytesOfSession * SessionsOfRound, $"A round of {SessionsOfRound} sessions leaves {typical} bytes behind.");
        Assert.True(growths.Skip(1).Sum() < 32 << 20, $"{Rounds - 1} rounds left {growths.Skip(1).Sum()} bytes behind.");
    }

    private static void OpenAndClose(byte[] model, int sessions)
    {
        float[] x = new float[2 * 3 * MlpGraph.Hidden];
        for (int i = 0; i < sessions; i++)
        {
            using SessionOptions options = new SessionOptions { IntraOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL }.RegisterCats();
            options.RegisterCats(); // once more does nothing
            using InferenceSession session = new(model, options);
            using OrtValue input = OrtValue.CreateTensorValueFromMemory(x, [2, 3, MlpGraph.Hidden]);
            using RunOptions run = new();
            using IDisposableReadOnlyCollection<OrtValue> results = session.Run(run, ["x"], [input], session.OutputNames);
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    private static long Resident() => long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture) * Environment.SystemPageSize;
}
