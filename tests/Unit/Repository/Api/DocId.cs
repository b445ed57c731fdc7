// SPDX-License-Identifier: MIT
// The names that the compiler gives members in XML documentation ("M:Namespace.Type.Method(System.Int32)").
using System.Reflection;

namespace CatsOnnx.Tests.Unit.Repository.Api;

internal static class DocId
{
    public static string Of(MemberInfo member) => member switch
    {
        Type type => "T:" + Name(type),
        FieldInfo => $"F:{Name(member.DeclaringType!)}.{member.Name}",
        EventInfo => $"E:{Name(member.DeclaringType!)}.{member.Name}",
        PropertyInfo property => $"P:{Name(member.DeclaringType!)}.{member.Name}{Parameters(property.GetIndexParameters())}",
        MethodBase method => Method(method),
        _ => throw new NotSupportedException($"{member.MemberType} {member.Name} has no name in XML documentation."),
    };

    private static string Method(MethodBase method)
    {
        string name = method.Name.Replace('.', '#'); // .ctor
        string arity = method.IsGenericMethod ? $"``{method.GetGenericArguments().Length}" : "";
        string result = method is MethodInfo { Name: "op_Implicit" or "op_Explicit" } conversion ? "~" + Argument(conversion.ReturnType) : "";
        return $"M:{Name(method.DeclaringType!)}.{name}{arity}{Parameters(method.GetParameters())}{result}";
    }

    private static string Parameters(ParameterInfo[] parameters) =>
        parameters.Length == 0 ? "" : $"({string.Join(',', parameters.Select(parameter => Argument(parameter.ParameterType)))})";

    private static string Name(Type type) =>
        type.DeclaringType is Type outer ? $"{Name(outer)}.{type.Name}" : type.Namespace is string space ? $"{space}.{type.Name}" : type.Name;

    private static string Argument(Type type)
    {
        if (type.IsByRef)
        {
            return Argument(type.GetElementType()!) + "@";
        }

        if (type.IsPointer)
        {
            return Argument(type.GetElementType()!) + "*";
        }

        if (type.IsArray)
        {
            return Argument(type.GetElementType()!) + (type.GetArrayRank() == 1 ? "[]" : $"[{string.Join(',', Enumerable.Repeat("0:", type.GetArrayRank()))}]");
        }

        if (type.IsGenericParameter)
        {
            return (type.DeclaringMethod is null ? "`" : "``") + type.GenericParameterPosition;
        }

        if (!type.IsGenericType)
        {
            return Name(type);
        }

        // Of nested generic types only the arguments of the innermost are written: none of ours is nested in a generic one.
        string name = Name(type.GetGenericTypeDefinition());
        return $"{name[..name.LastIndexOf('`')]}{{{string.Join(',', type.GetGenericArguments().Select(Argument))}}}";
    }
}
