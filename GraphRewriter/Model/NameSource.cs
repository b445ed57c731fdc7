// SPDX-License-Identifier: MIT
// Names for new values and nodes that no graph of the model has yet.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Gives out names that are new to a model.</summary>
internal sealed class NameSource
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    /// <summary>Collects the names of a model.</summary>
    /// <param name="index">The model.</param>
    public NameSource(GraphIndex index)
    {
        ArgumentNullException.ThrowIfNull(index);
        foreach (GraphScope scope in index.Scopes)
        {
            _taken.UnionWith(scope.Values.Select(value => value.Name));
            _taken.UnionWith(scope.Graph.Node.Select(node => node.Name));
            _taken.UnionWith(scope.Graph.ValueInfo.Select(info => info.Name));
        }
    }

    /// <summary>The name asked for, or it with a number.</summary>
    /// <param name="wanted">The name asked for.</param>
    public string Fresh(string wanted)
    {
        string name = wanted;
        for (int number = 1; !_taken.Add(name); number++)
        {
            name = $"{wanted}.{number}";
        }

        return name;
    }
}
