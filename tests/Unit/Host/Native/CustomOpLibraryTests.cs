// SPDX-License-Identifier: MIT
// Where the native library is looked for, and what is said when it is nowhere.
using System.Runtime.InteropServices;
using System.Text.Json;
using CatsOnnx.Native;
using Microsoft.ML.OnnxRuntime;

namespace CatsOnnx.Tests.Unit.Host.Native;

public sealed class CustomOpLibraryTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cats-library-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_error_lists_every_place_looked_in()
    {
        string other = Path.Combine(_folder, "other");
        DllNotFoundException error = Assert.Throws<DllNotFoundException>(() => CustomOpLibrary.FindPath(null, [_folder, other, ""]));
        foreach (string root in (string[])[_folder, other])
        {
            Assert.Contains(Path.Combine(root, CustomOpLibrary.FileName), error.Message);
            Assert.Contains(Path.Combine(root, "runtimes", RuntimeInformation.RuntimeIdentifier, "native", CustomOpLibrary.FileName), error.Message);
        }
    }

    [Fact]
    public void A_library_below_runtimes_is_found_before_one_in_the_folder()
    {
        string plain = Path.Combine(_folder, CustomOpLibrary.FileName);
        File.WriteAllText(plain, "");
        Assert.Equal(plain, CustomOpLibrary.FindPath(null, [Path.Combine(_folder, "absent"), _folder]));
        string native = Directory.CreateDirectory(Path.Combine(_folder, "runtimes", RuntimeInformation.RuntimeIdentifier, "native")).FullName;
        string below = Path.Combine(native, CustomOpLibrary.FileName);
        File.WriteAllText(below, "");
        Assert.Equal(below, CustomOpLibrary.FindPath(null, [_folder]));
    }

    [Fact]
    public void The_variable_wins_and_a_wrong_one_is_an_error()
    {
        string chosen = Path.Combine(_folder, "mine.so");
        Assert.Contains(chosen, Assert.Throws<DllNotFoundException>(() => CustomOpLibrary.FindPath(chosen, [_folder])).Message);
        File.WriteAllText(chosen, "");
        Assert.Equal(chosen, CustomOpLibrary.FindPath(chosen, []));
    }

    [Fact]
    public void Registering_twice_does_nothing_more_and_sessions_can_be_made()
    {
        using SessionOptions options = new();
        Assert.Same(options, options.RegisterCats());
        Assert.Same(options, options.RegisterCats());
        using SessionOptions second = new SessionOptions().RegisterCats();
        Assert.True(File.Exists(CatsOps.GetLibraryPath()));
        using JsonDocument description = JsonDocument.Parse(CatsOps.Describe());
        Assert.Equal(CatsOps.Domain, description.RootElement.GetProperty("domain").GetString());
        Assert.True(description.RootElement.GetProperty("ops").EnumerateArray().Any());
    }

    [Fact]
    public void Operators_with_a_cuda_kernel_are_read_from_the_description()
    {
        IReadOnlySet<string> ops = CustomOpLibrary.CudaOps("""
            {"ops": [
              {"name": "A", "kernels": [{"device": "cpu", "dtype": "float"}, {"device": "cuda", "dtype": "float16"}]},
              {"name": "B", "kernels": [{"device": "cpu", "dtype": "float"}]},
              {"name": "C", "kernels": []}]}
            """);
        Assert.Equal(["A"], ops);
        Assert.Equal(CustomOpLibrary.HasCuda, CustomOpLibrary.HasCudaKernel("SparseGatedMlp"));
        Assert.False(CustomOpLibrary.HasCudaKernel("NoSuchOperator"));
    }

    [Fact]
    public void Registering_from_many_threads_is_safe()
    {
        using SessionOptions shared = new();
        Parallel.For(0, 32, _ =>
        {
            using SessionOptions own = new SessionOptions().RegisterCats();
            shared.RegisterCats();
        });
        Assert.NotNull(CatsOps.Describe());
    }
}
