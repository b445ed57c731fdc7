// SPDX-License-Identifier: MIT
// A writer that is killed at every step, at random times, or runs out of disk: the folder is absent, old or whole, the
// source is untouched, and the next run cleans up. The writer is this test program, started again.
using System.Diagnostics;
using System.Runtime.CompilerServices;
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Output;
using CatsOnnx.GraphRewriter.Synthesis;

namespace CatsOnnx.Tests.Unit.GraphRewriter.Output;

public sealed class KilledWriterTests : IDisposable
{
    private const string WriterVariable = "CATS_TEST_WRITER";
    private const string ExitVariable = "CATS_TEST_WRITER_EXITS";
    private const int ExitOfIoError = 7;
    private const int ExitBeforeCommit = 8;
    private static readonly DecoderShape s_small = new("test", 32, 64, 1, 2, 1, 64, 32);
    private static readonly DecoderShape s_large = new("test", 512, 1376, 4, 8, 8, 2048, 512);

    private readonly string _root = Directory.CreateTempSubdirectory("cats-kill-").FullName;
    private readonly string _source;
    private readonly string _target;

    public KilledWriterTests()
    {
        _source = Path.Combine(_root, "source");
        _target = Path.Combine(_root, "target");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Killed_at_every_step_it_leaves_the_old_folder_or_the_new_one(bool overwrite)
    {
        MakeSource(s_small);
        byte[] before = File.ReadAllBytes(Path.Combine(_source, "model.onnx.data"));
        int killed = 0;
        for (int step = 1; ; step++)
        {
            Clean(overwrite);
            using Process writer = StartWriter(("CATS_CRASH_AT", $"{step}"));
            writer.WaitForExit();
            RequireOldOrNew(overwrite, $"step {step}");
            if (writer.ExitCode == 0)
            {
                break;
            }

            killed++;
            Assert.True(step < 100, "the writer never ends");
        }

        Assert.InRange(killed, 8, 40);
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(_source, "model.onnx.data")));
        AssertNextRunCleansUp();
    }

    [Fact]
    public void Killed_at_random_times_it_leaves_nothing_or_a_whole_folder()
    {
        MakeSource(s_large);
        Clean(overwrite: false);
        using (Process whole = StartWriter())
        {
            whole.WaitForExit();
            Assert.Equal(0, whole.ExitCode);
        }

        Random random = new(3);
        for (int i = 0; i < 12; i++)
        {
            Clean(overwrite: false);
            using Process writer = StartWriter();
            // the start of a program takes most of this; the writing falls into its end
            SpinWait.SpinUntil(() => Directory.GetDirectories(_root, "target.cats-new-*").Length > 0 || writer.HasExited, 20_000);
            Thread.Sleep(random.Next(60));
            writer.Kill();
            writer.WaitForExit();
            RequireOldOrNew(overwrite: false, $"kill {i}");
        }

        AssertNextRunCleansUp();
    }

    [Fact]
    public void A_full_disk_is_an_error_that_leaves_nothing()
    {
        MakeSource(s_large);
        using Process writer = StartWriter(limitKib: 4096);
        string error = writer.StandardError.ReadToEnd();
        writer.WaitForExit();

        Assert.True(writer.ExitCode == ExitOfIoError, $"exit {writer.ExitCode}: {error}");
        Assert.Equal(["source"], Directory.GetFileSystemEntries(_root).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_exit_before_the_folder_has_its_name_leaves_what_was_there(bool overwrite)
    {
        MakeSource(s_small);
        Clean(overwrite);
        using Process writer = StartWriter((ExitVariable, "1"));
        writer.WaitForExit();

        Assert.Equal(ExitBeforeCommit, writer.ExitCode);
        Assert.Equal(overwrite ? ["source", "target"] : ["source"], Directory.GetFileSystemEntries(_root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        RequireOldOrNew(overwrite, "exit");
        Assert.Equal(overwrite, File.Exists(Path.Combine(_target, "old")));
    }

    [Fact]
    public void A_run_that_lives_keeps_its_staging_folder()
    {
        using FolderTransaction first = FolderTransaction.Begin(_target, overwrite: false);
        using (FolderTransaction second = FolderTransaction.Begin(_target, overwrite: false))
        {
            File.WriteAllText(Path.Combine(second.StagingFolder, "a"), "second");
            second.Commit();
        }

        Assert.True(Directory.Exists(first.StagingFolder));
        Assert.Throws<IOException>(first.Commit);
        Assert.Equal("second", File.ReadAllText(Path.Combine(_target, "a")));
    }

    /// <summary>What this program does when it is started as the writer.</summary>
    [ModuleInitializer]
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Usage", "CA2255", Justification = "The test program is its own child process.")]
    internal static void RunAsWriter()
    {
        if (Environment.GetEnvironmentVariable(WriterVariable) is not { Length: > 0 } root)
        {
            return;
        }

        try
        {
            new RewrittenFolder
            {
                Source = Path.Combine(root, "source"),
                Model = OnnxModel.Load(Path.Combine(root, "source", "model.onnx")),
                Target = Path.Combine(root, "target"),
                Overwrite = true,
            }.Write(beforeCommit: Environment.GetEnvironmentVariable(ExitVariable) is null ? null : _ => Environment.Exit(ExitBeforeCommit));
            Environment.Exit(0);
        }
        catch (IOException e)
        {
            Console.Error.WriteLine(e);
            Environment.Exit(ExitOfIoError);
        }
    }

    private void MakeSource(DecoderShape shape)
    {
        DecoderModel.Write(shape, DecoderDtype.Fp32, 1, _source);
        File.WriteAllText(Path.Combine(_source, "tokenizer.json"), "{}");
    }

    private void Clean(bool overwrite)
    {
        if (Directory.Exists(_target))
        {
            Directory.Delete(_target, recursive: true);
        }

        if (overwrite)
        {
            Directory.CreateDirectory(_target);
            File.WriteAllText(Path.Combine(_target, "old"), "old");
        }
    }

    private void RequireOldOrNew(bool overwrite, string when)
    {
        if (File.Exists(Path.Combine(_target, "old")))
        {
            Assert.Equal(["old"], Directory.GetFileSystemEntries(_target).Select(Path.GetFileName));
            return;
        }

        Assert.True(!overwrite || Directory.Exists(_target), $"{when}: the old folder is gone and the new one is not there");
        if (Directory.Exists(_target))
        {
            Assert.Empty(FolderManifest.Verify(_target));
            Assert.Equal(5, Directory.GetFileSystemEntries(_target).Length);
        }
    }

    private void AssertNextRunCleansUp()
    {
        Clean(overwrite: false);
        using Process writer = StartWriter();
        writer.WaitForExit();

        Assert.Equal(0, writer.ExitCode);
        Assert.Equal(["source", "target"], Directory.GetFileSystemEntries(_root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Empty(FolderManifest.Verify(_target));
    }

    private Process StartWriter((string Name, string Value)? variable = null, int? limitKib = null)
    {
        string program = Environment.ProcessPath!;
        string assembly = typeof(KilledWriterTests).Assembly.Location;
        string command = Path.GetFileNameWithoutExtension(program) == "dotnet" ? $"exec '{program}' '{assembly}'" : $"exec '{program}'";
        ProcessStartInfo start = new("bash", ["-c", limitKib is null ? command : $"ulimit -f {limitKib}; {command}"]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment[WriterVariable] = _root;
        // the limit would also hit the file that .NET maps its machine code through
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        if (variable is { } v)
        {
            start.Environment[v.Name] = v.Value;
        }

        return Process.Start(start)!;
    }
}
