// SPDX-License-Identifier: MIT
// Short names for the models of a report, fit for file names and each only once.
using CatsOnnx.Session;

namespace CatsOnnx.Cli.Report;

internal static class ModelNames
{
    public static string[] Of(IEnumerable<ModelFolder> folders)
    {
        List<string> names = [];
        foreach (ModelFolder folder in folders)
        {
            // Nearly every export is called model.onnx; its folder says more.
            string stem = Path.GetFileNameWithoutExtension(folder.ModelPath);
            string own = folder.Layout != ModelLayout.Bare || stem == "model" ? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder.Root))) : stem;
            string name = new([.. own.Select(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.' ? letter : '-')]);
            name = name.Trim('.') is { Length: > 0 } kept ? kept : "model";
            string unique = name;
            for (int number = 2; names.Contains(unique, StringComparer.OrdinalIgnoreCase); number++)
            {
                unique = FormattableString.Invariant($"{name}-{number}");
            }

            names.Add(unique);
        }

        return [.. names];
    }
}
