// SPDX-License-Identifier: MIT
// A type's name in C#: keywords, generic arguments, tuples with their names, what may be null.
using System.Reflection;
using System.Runtime.CompilerServices;

namespace CatsOnnx.Tests.Unit.Repository.Api;

internal static class TypeName
{
    private static readonly Dictionary<Type, string> s_keywords = new()
    {
        [typeof(void)] = "void", [typeof(object)] = "object", [typeof(string)] = "string", [typeof(bool)] = "bool", [typeof(char)] = "char",
        [typeof(byte)] = "byte", [typeof(sbyte)] = "sbyte", [typeof(short)] = "short", [typeof(ushort)] = "ushort", [typeof(int)] = "int",
        [typeof(uint)] = "uint", [typeof(long)] = "long", [typeof(ulong)] = "ulong", [typeof(nint)] = "nint", [typeof(nuint)] = "nuint",
        [typeof(float)] = "float", [typeof(double)] = "double", [typeof(decimal)] = "decimal",
    };

    public static string Of(Type type) => Write(type, null, []);

    /// <summary>The type of a member or parameter, with what is known of null and of the names of tuples.</summary>
    public static string Of(NullabilityInfo nullability, ICustomAttributeProvider declared)
    {
        IEnumerable<string?> names = declared.GetCustomAttributes(typeof(TupleElementNamesAttribute), false)
            .Cast<TupleElementNamesAttribute>().SelectMany(attribute => attribute.TransformNames);
        return Write(nullability.Type, nullability, new Queue<string?>(names));
    }

    /// <summary>The name alone: TokenGenerator, Outer.Inner.</summary>
    public static string Short(Type type)
    {
        string name = type.Name.Split('`')[0];
        return type.DeclaringType is Type outer && !type.IsGenericParameter ? $"{Short(outer)}.{name}" : name;
    }

    private static string Write(Type type, NullabilityInfo? nullability, Queue<string?> names)
    {
        if (type.IsByRef)
        {
            return Write(type.GetElementType()!, nullability?.ElementType, names);
        }

        if (Nullable.GetUnderlyingType(type) is Type underlying)
        {
            return Write(underlying, null, names) + "?";
        }

        string mark = !type.IsValueType && nullability is { ReadState: NullabilityState.Nullable } or { WriteState: NullabilityState.Nullable, Type.IsValueType: false } ? "?" : "";
        if (s_keywords.TryGetValue(type, out string? keyword))
        {
            return keyword + mark;
        }

        if (type.IsPointer)
        {
            return Write(type.GetElementType()!, null, names) + "*";
        }

        if (type.IsArray)
        {
            return $"{Write(type.GetElementType()!, nullability?.ElementType, names)}[{new string(',', type.GetArrayRank() - 1)}]{mark}";
        }

        Type[] arguments = type.GetGenericArguments();
        if (type.FullName?.StartsWith("System.ValueTuple`", StringComparison.Ordinal) == true)
        {
            // The names of a tuple's elements come before those of the tuples inside.
            string?[] own = [.. arguments.Select(_ => names.Count > 0 ? names.Dequeue() : null)];
            return $"({string.Join(", ", arguments.Select((argument, i) => $"{Argument(argument, i)} {own[i]}".TrimEnd()))})";
        }

        string generic = arguments.Length == 0 || type.IsGenericParameter ? "" : $"<{string.Join(", ", arguments.Select(Argument))}>";
        return Short(type) + generic + mark;

        string Argument(Type argument, int i) =>
            Write(argument, nullability is not null && i < nullability.GenericTypeArguments.Length ? nullability.GenericTypeArguments[i] : null, names);
    }
}
