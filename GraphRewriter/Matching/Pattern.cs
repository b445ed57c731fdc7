// SPDX-License-Identifier: MIT
// A small tree of operators to look for, read from its result upwards: Pattern.Node("Mul", x, Pattern.Node("Sigmoid", x)).
using CatsOnnx.GraphRewriter.Model;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Matching;

/// <summary>What a value must be made of.</summary>
internal abstract class Pattern
{
    private Pattern()
    {
    }

    /// <summary>Any value; the same name must stand for the same value everywhere.</summary>
    /// <param name="name">The name in the bindings.</param>
    public static Pattern Value(string name) => new Hole(name);

    /// <summary>One output of a node.</summary>
    /// <param name="opType">The operator.</param>
    /// <param name="inputs">Its first inputs; the node may have more.</param>
    public static Operation Node(string opType, params Pattern[] inputs) => new(opType, "", inputs, false, null, 0);

    /// <summary>A node of com.microsoft.</summary>
    /// <param name="opType">The operator.</param>
    /// <param name="inputs">Its first inputs; the node may have more.</param>
    public static Operation Microsoft(string opType, params Pattern[] inputs) => new(opType, "com.microsoft", inputs, false, null, 0);

    /// <summary>The first of several forms that fits.</summary>
    /// <param name="forms">The forms, in the order they are tried.</param>
    public static Pattern OneOf(params Pattern[] forms) => new Choice(forms);

    /// <summary>A constant with one element of that value.</summary>
    /// <param name="value">The value.</param>
    public static Pattern Scalar(double value) => new Number(value);

    internal sealed class Number(double value) : Pattern
    {
        public double Wanted { get; } = value;
    }

    internal sealed class Hole(string name) : Pattern
    {
        public string Name { get; } = name;
    }

    internal sealed class Choice(Pattern[] forms) : Pattern
    {
        public Pattern[] Forms { get; } = forms;
    }

    /// <summary>A node with its inputs.</summary>
    public sealed class Operation : Pattern
    {
        internal Operation(string opType, string domain, Pattern[] inputs, bool commutes, string? name, int output)
        {
            OpType = opType;
            Domain = domain;
            Inputs = inputs;
            Commutes = commutes;
            Name = name;
            Output = output;
        }

        internal string OpType { get; }

        internal string Domain { get; }

        internal Pattern[] Inputs { get; }

        internal bool Commutes { get; }

        internal string? Name { get; }

        internal int Output { get; }

        /// <summary>The same with its two inputs in any order.</summary>
        public Operation InAnyOrder() => new(OpType, Domain, Inputs, true, Name, Output);

        /// <summary>The same, with the node in the bindings under that name.</summary>
        /// <param name="name">The name.</param>
        public Operation As(string name) => new(OpType, Domain, Inputs, Commutes, name, Output);

        internal bool Fits(NodeProto node) =>
            node.OpType == OpType && (Domain.Length == 0 ? GraphText.IsDefaultDomain(node.Domain) : node.Domain == Domain);
    }
}
