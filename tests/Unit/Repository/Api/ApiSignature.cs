// SPDX-License-Identifier: MIT
// Types and members as a C# programmer writes them.
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace CatsOnnx.Tests.Unit.Repository.Api;

internal static class ApiSignature
{
    private static readonly NullabilityInfoContext s_nullability = new();

    /// <summary>Whether a type is a record: only those have this method, which C# cannot name.</summary>
    public static bool IsRecord(Type type) =>
        type.GetMethod("<Clone>$") is not null
        || (type.IsValueType && type.GetMethod("PrintMembers", BindingFlags.NonPublic | BindingFlags.Instance) is not null);

    public static string OfType(Type type)
    {
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            MethodInfo invoke = type.GetMethod("Invoke")!;
            return $"public delegate {Return(invoke)} {TypeName.Of(type)}({Parameters(invoke)})";
        }

        string kind = (type.IsInterface, type.IsEnum, type.IsValueType, IsRecord(type)) switch
        {
            (true, _, _, _) => "interface",
            (_, true, _, _) => "enum",
            (_, _, true, bool record) => (type.IsDefined(typeof(IsReadOnlyAttribute)) ? "readonly " : "") + (record ? "record struct" : "struct"),
            (_, _, _, bool record) => (type.IsAbstract, type.IsSealed) switch
            {
                (true, true) => "static ",
                (true, false) => "abstract ",
                (false, true) => "sealed ",
                _ => "",
            } + (record ? "record" : "class"),
        };
        return $"public {kind} {TypeName.Of(type)}{Bases(type)}";
    }

    public static string OfField(FieldInfo field)
    {
        string type = TypeName.Of(s_nullability.Create(field), field);
        return field.IsLiteral
            ? $"const {type} {field.Name} = {Value(field.GetRawConstantValue(), field.FieldType)}"
            : $"static readonly {type} {field.Name}";
    }

    public static string OfProperty(PropertyInfo property)
    {
        ParameterInfo[] index = property.GetIndexParameters();
        string name = index.Length == 0 ? property.Name : $"this[{string.Join(", ", index.Select(Parameter))}]";
        string accessors = IsVisible(property.GetMethod) ? "get; " : "";
        if (IsVisible(property.SetMethod))
        {
            bool init = property.SetMethod!.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));
            accessors += init ? "init; " : "set; ";
        }

        string required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "";
        return $"{Static(property.GetMethod ?? property.SetMethod!)}{required}{TypeName.Of(s_nullability.Create(property), property)} {name} {{ {accessors}}}";
    }

    public static string OfMethod(MethodBase method)
    {
        if (method is not MethodInfo info)
        {
            return $"{TypeName.Short(method.DeclaringType!)}({Parameters(method)})";
        }

        string generic = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(argument => argument.Name))}>" : "";
        string name = Operator(method.Name) is string sign ? $"operator {sign}" : method.Name + generic;
        string extension = method.IsDefined(typeof(ExtensionAttribute), false) ? "this " : "";
        string text = method.Name is "op_Implicit" or "op_Explicit"
            ? $"static {(method.Name == "op_Implicit" ? "implicit" : "explicit")} operator {Return(info)}"
            : $"{Static(method)}{Return(info)} {name}";
        return $"{text}({extension}{Parameters(method)})";
    }

    public static bool IsVisible(MethodBase? method) => method is { IsPublic: true } or { IsFamily: true } or { IsFamilyOrAssembly: true };

    private static string Static(MethodBase method) =>
        method.IsStatic ? "static " : method is { IsAbstract: true, DeclaringType.IsInterface: false } ? "abstract " : method.IsFamily ? "protected " : "";

    private static string Return(MethodInfo method) => TypeName.Of(s_nullability.Create(method.ReturnParameter), method.ReturnParameter);

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(Parameter));

    private static string Parameter(ParameterInfo parameter)
    {
        string modifier = parameter.IsDefined(typeof(ParamArrayAttribute)) || parameter.IsDefined(typeof(ParamCollectionAttribute)) ? "params " : "";
        if (parameter.ParameterType.IsByRef)
        {
            modifier = parameter.IsOut ? "out " : parameter.IsIn ? "in " : "ref ";
        }

        string value = parameter.HasDefaultValue ? $" = {Value(parameter.RawDefaultValue, parameter.ParameterType)}" : "";
        return $"{modifier}{TypeName.Of(s_nullability.Create(parameter), parameter)} {parameter.Name}{value}";
    }

    private static string Value(object? value, Type type) => value switch
    {
        null => type.IsValueType && Nullable.GetUnderlyingType(type) is null ? "default" : "null",
        string text => $"\"{text}\"",
        char one => $"'{one}'",
        bool truth => truth ? "true" : "false",
        float number => number.ToString(CultureInfo.InvariantCulture) + "f",
        _ when type.IsEnum => $"{type.Name}.{Enum.ToObject(type, value)}",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Bases(Type type)
    {
        if (type.IsEnum)
        {
            return "";
        }

        IEnumerable<Type> interfaces = type.GetInterfaces()
            .Except(type.BaseType?.GetInterfaces() ?? [])
            .Except(type.GetInterfaces().SelectMany(one => one.GetInterfaces()))
            .Where(one => one.IsVisible && !(IsRecord(type) && one.Name == "IEquatable`1"))
            .OrderBy(one => one.Name, StringComparer.Ordinal);
        IEnumerable<Type> all = type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) ? [parent, .. interfaces] : interfaces;
        string text = string.Join(", ", all.Select(TypeName.Of));
        return text.Length == 0 ? "" : $" : {text}";
    }

    private static string? Operator(string name) => name switch
    {
        "op_Equality" => "==",
        "op_Inequality" => "!=",
        "op_Addition" => "+",
        "op_Subtraction" => "-",
        _ => null,
    };
}
