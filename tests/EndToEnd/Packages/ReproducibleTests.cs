// SPDX-License-Identifier: MIT
// The same sources give the same bytes in another folder: a library is built again there and compared with the packed one.
using System.Diagnostics;
using CatsOnnx.Tests.Support;

namespace CatsOnnx.Tests.EndToEnd.Packages;

[Collection(PackedFeedCollection.Name)]
public sealed class ReproducibleTests(PackedFeed feed)
{
    private const string Id = "CatsOnnx.GraphRewriter";

    [Fact]
    public void Another_folder_gives_the_same_assembly_and_symbols_byte_for_byte()
    {
        NugetSandbox sandbox = feed.Sandbox;
        string packed = sandbox["packed.dll"];
        File.WriteAllBytes(packed, feed.Read(Id)[$"lib/net10.0/{Id}.dll"]);
        string copy = Directory.CreateDirectory(sandbox["another", "folder"]).FullName;

        // The commit is part of the version, and what is not in git is embedded in the symbols: the copy is of the same commit.
        if (FileVersionInfo.GetVersionInfo(packed).ProductVersion?.Split('+') is [_, var commit])
        {
            Git("clone", "-q", "--shared", "--no-checkout", SharedFiles.RepositoryRoot, copy).Expect(0);
            Git("-C", copy, "update-ref", "--no-deref", "HEAD", commit).Expect(0);
            CliRun origin = Git("-C", SharedFiles.RepositoryRoot, "remote", "get-url", "origin");
            Git(origin.ExitCode == 0 ? ["-C", copy, "remote", "set-url", "origin", origin.Output.Trim()] : ["-C", copy, "remote", "remove", "origin"]).Expect(0);
        }

        foreach (string file in Directory.GetFiles(SharedFiles.RepositoryRoot).Concat(Directory.GetFiles(Path.Combine(SharedFiles.RepositoryRoot, "GraphRewriter"), "*", SearchOption.AllDirectories)))
        {
            string target = Path.Combine(copy, Path.GetRelativePath(SharedFiles.RepositoryRoot, file));
            if (Path.GetFileName(file) != ".git") // a file in a worktree
            {
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target);
            }
        }

        sandbox.Build("build", Path.Combine(copy, "GraphRewriter")).Expect(0);
        string built = Path.Combine(copy, "artifacts", "bin", Id, "release", Id);
        Assert.Equal(File.ReadAllBytes(packed), File.ReadAllBytes(built + ".dll"));
        Assert.Equal(feed.Read(Id, "snupkg")[$"lib/net10.0/{Id}.pdb"], File.ReadAllBytes(built + ".pdb"));

        CliRun Git(params string[] arguments) => sandbox.Run("git", arguments);
    }
}
