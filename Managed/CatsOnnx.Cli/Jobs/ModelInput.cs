// SPDX-License-Identifier: MIT
// A MODEL argument, opened: its folder, and its graph, which is checked before ONNX Runtime sees any of it.
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.Session;

namespace CatsOnnx.Cli.Jobs;

/// <param name="Folder">The model's files.</param>
/// <param name="Graph">Its graph; every tensor's data was found, whole and inside the folder.</param>
internal sealed record ModelInput(ModelFolder Folder, OnnxModel Graph)
{
    /// <exception cref="FileNotFoundException">There is no model.</exception>
    /// <exception cref="InvalidDataException">A file beside it is wrong.</exception>
    /// <exception cref="GraphRewriter.InvalidModelException">It is damaged, unsafe, or no ONNX model.</exception>
    public static ModelInput Open(string path)
    {
        if (!Path.Exists(path))
        {
            throw new FileNotFoundException($"There is no model file or folder '{path}' (looked in {Environment.CurrentDirectory}). Give an exporter's folder or a .onnx file; `cats make-model` makes one to try.", path);
        }

        ModelFolder folder = ModelFolder.Open(path);
        return new ModelInput(folder, OnnxModel.Load(folder.ModelPath));
    }
}
