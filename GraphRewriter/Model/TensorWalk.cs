// SPDX-License-Identifier: MIT
// Every tensor of a model, wherever it hangs: initializers, attributes, subgraphs, functions, training graphs.
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Walks over the tensors of a model without recursion.</summary>
internal static class TensorWalk
{
    /// <summary>Every tensor of the model, in the order of the file within each graph; subgraphs after their graph.</summary>
    /// <param name="model">Any model.</param>
    /// <returns>Initializers, attributes and sparse parts, of the graphs, functions and training graphs.</returns>
    public static IEnumerable<TensorProto> Tensors(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        foreach (FunctionProto function in model.Functions)
        {
            Queue<GraphProto> inner = new();
            foreach (TensorProto tensor in OfAttributes(function.AttributeProto, inner).Concat(OfNodes(function.Node, inner)).Concat(OfGraphs(inner)))
            {
                yield return tensor;
            }
        }

        Queue<GraphProto> graphs = new();
        if (model.Graph is not null)
        {
            graphs.Enqueue(model.Graph);
        }

        foreach (TrainingInfoProto training in model.TrainingInfo)
        {
            foreach (GraphProto? graph in new[] { training.Initialization, training.Algorithm })
            {
                if (graph is not null)
                {
                    graphs.Enqueue(graph);
                }
            }
        }

        foreach (TensorProto tensor in OfGraphs(graphs))
        {
            yield return tensor;
        }
    }

    /// <summary>The initializers of the main graph and of every graph below it.</summary>
    /// <param name="model">Any model.</param>
    /// <returns>In the order of the file within each graph; a graph's before those of graphs below it.</returns>
    public static IEnumerable<TensorProto> Initializers(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Queue<GraphProto> graphs = new();
        if (model.Graph is not null)
        {
            graphs.Enqueue(model.Graph);
        }

        while (graphs.TryDequeue(out GraphProto? graph))
        {
            foreach (TensorProto tensor in graph.Initializer)
            {
                yield return tensor;
            }

            foreach (AttributeProto attribute in graph.Node.SelectMany(node => node.Attribute))
            {
                if (attribute.G is not null)
                {
                    graphs.Enqueue(attribute.G);
                }

                foreach (GraphProto inner in attribute.Graphs)
                {
                    graphs.Enqueue(inner);
                }
            }
        }
    }

    private static IEnumerable<TensorProto> OfGraphs(Queue<GraphProto> graphs)
    {
        while (graphs.TryDequeue(out GraphProto? graph))
        {
            foreach (TensorProto tensor in graph.Initializer.Concat(OfSparse(graph.SparseInitializer)).Concat(OfNodes(graph.Node, graphs)))
            {
                yield return tensor;
            }
        }
    }

    private static IEnumerable<TensorProto> OfNodes(IEnumerable<NodeProto> nodes, Queue<GraphProto> subgraphs) =>
        nodes.SelectMany(node => OfAttributes(node.Attribute, subgraphs));

    private static IEnumerable<TensorProto> OfAttributes(IEnumerable<AttributeProto> attributes, Queue<GraphProto> subgraphs)
    {
        foreach (AttributeProto attribute in attributes)
        {
            if (attribute.T is not null)
            {
                yield return attribute.T;
            }

            foreach (TensorProto tensor in attribute.Tensors.Concat(OfSparse(attribute.SparseTensors)))
            {
                yield return tensor;
            }

            if (attribute.SparseTensor is not null)
            {
                foreach (TensorProto tensor in OfSparse([attribute.SparseTensor]))
                {
                    yield return tensor;
                }
            }

            if (attribute.G is not null)
            {
                subgraphs.Enqueue(attribute.G);
            }

            foreach (GraphProto graph in attribute.Graphs)
            {
                subgraphs.Enqueue(graph);
            }
        }
    }

    private static IEnumerable<TensorProto> OfSparse(IEnumerable<SparseTensorProto> tensors)
    {
        foreach (SparseTensorProto tensor in tensors)
        {
            if (tensor.Values is not null)
            {
                yield return tensor.Values;
            }

            if (tensor.Indices is not null)
            {
                yield return tensor.Indices;
            }
        }
    }
}
