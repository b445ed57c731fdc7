// SPDX-License-Identifier: MIT
// docs/api: a page a library, made from its assembly (what is public) and its XML documentation (what it means).
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Xml.Linq;
using CatsOnnx.Calibration;
using CatsOnnx.DependencyInjection;
using CatsOnnx.Evaluation;
using CatsOnnx.GraphRewriter;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.Tests.Unit.Repository.Api;

internal sealed class ApiPages
{
    private const string Made = "<!-- Made from the XML documentation by eng/readme.sh: do not edit. -->";
    private const BindingFlags Own = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    // A library's line: its package, its assembly, what it is for.
    private static readonly (string Package, Assembly Assembly, string Purpose)[] s_libraries =
    [
        ("CatsOnnx", typeof(CatsOps).Assembly, "sessions, model folders, tokenizers, generation, `IChatClient`"),
        ("CatsOnnx.DependencyInjection", typeof(CatsOptions).Assembly, "`services.AddCats(...)`"),
        ("CatsOnnx.GraphRewriter", typeof(ModelRewriter).Assembly, "ONNX files in, ONNX files out"),
        ("CatsOnnx.Calibration", typeof(CalibrationRun).Assembly, "text to thresholds"),
        ("CatsOnnx.Evaluation", typeof(EvaluationRun).Assembly, "perplexity, sparsity, agreement, speed of a model"),
    ];

    private readonly ApiDocs _docs;
    private readonly Dictionary<string, string> _links = new(StringComparer.Ordinal);  // "T:..." -> page#anchor
    private readonly Dictionary<(Assembly, string), string> _spaces = [];              // a namespace of a library -> page#anchor
    private string _page = "";

    public ApiPages()
    {
        foreach ((string package, Assembly assembly, _) in s_libraries)
        {
            MarkdownAnchors anchors = new();
            anchors.Add(package);
            foreach (IGrouping<string, Type> space in Types(assembly))
            {
                _spaces.Add((assembly, space.Key), $"{package}.md#{anchors.Add(space.Key)}");
                foreach (Type type in space)
                {
                    _links.Add(DocId.Of(type), $"{package}.md#{anchors.Add(TypeName.Of(type))}");
                }
            }
        }

        _docs = new ApiDocs(s_libraries.Select(library => library.Assembly), id =>
            _links.TryGetValue(id, out string? target) ? target.StartsWith(_page + '#', StringComparison.Ordinal) ? target[_page.Length..] : target : null);
    }

    /// <summary>Every page by its file's name.</summary>
    public IReadOnlyDictionary<string, string> Make()
    {
        Dictionary<string, string> pages = new(StringComparer.Ordinal) { ["README.md"] = Index() };
        foreach ((string package, Assembly assembly, string purpose) in s_libraries)
        {
            _page = package + ".md";
            pages.Add(_page, Page(package, assembly, purpose));
        }

        return pages;
    }

    /// <summary>Parameters of public methods that nothing is written of, as "Type.Method: parameter".</summary>
    public IEnumerable<string> Undescribed() =>
        from library in s_libraries
        from type in Types(library.Assembly).SelectMany(space => space)
        from method in Members(type).OfType<MethodBase>()
        where !(ApiSignature.IsRecord(type) && IsPositional(type, method)) && (method is ConstructorInfo || ApiDocs.DescribedBy(method) is null || _docs.Find(method)?.Element("summary") is not null)
        from parameter in method.GetParameters()
        where _docs.Find(method)?.Elements("param").Any(one => one.Attribute("name")!.Value == parameter.Name) != true
        select $"{TypeName.Of(type)}.{method.Name}: {parameter.Name}";

    private string Index()
    {
        StringBuilder page = new($"{Made}\n# API\n\nEvery public type of the libraries, made from their XML documentation. Shapes stand in brackets: [intermediate_size].\n\n");
        page.Append("| package | for | namespaces |\n| --- | --- | --- |\n");
        foreach ((string package, Assembly assembly, string purpose) in s_libraries)
        {
            IEnumerable<string> spaces = Types(assembly).Select(space => $"[{space.Key}]({_spaces[(assembly, space.Key)]})");
            page.Append($"| [{package}]({package}.md) | {purpose} | {string.Join(", ", spaces)} |\n");
        }

        page.Append($"\nONNX's own messages ({typeof(ModelProto).Namespace}) are public too; protoc makes them from [onnx.proto](../../GraphRewriter/Proto/onnx.proto).\n");
        return page.ToString();
    }

    private string Page(string package, Assembly assembly, string purpose)
    {
        StringBuilder page = new($"{Made}\n# {package}\n\n{char.ToUpperInvariant(purpose[0])}{purpose[1..]}. [All packages](README.md).\n");
        foreach (IGrouping<string, Type> space in Types(assembly))
        {
            page.Append($"\n## {space.Key}\n");
            foreach (Type type in space)
            {
                Describe(page, type);
            }
        }

        return page.ToString();
    }

    private void Describe(StringBuilder page, Type type)
    {
        XElement? docs = _docs.Find(type);
        page.Append($"\n### `{TypeName.Of(type)}`\n\n{_docs.Text(docs?.Element("summary"))}\n");
        if (_docs.Text(docs?.Element("remarks")) is { Length: > 0 } remarks)
        {
            page.Append($"\n{remarks}\n");
        }

        page.Append($"\n```csharp\n{ApiSignature.OfType(type)}\n```\n");
        string members = string.Concat(Members(type).Select(member => Describe(type, member)));
        page.Append(members.Length > 0 ? $"\n{members}" : "");
    }

    private string Describe(Type type, MemberInfo member)
    {
        if (member is FieldInfo { DeclaringType.IsEnum: true })
        {
            return $"- `{member.Name}`: {_docs.Text(_docs.Find(member)?.Element("summary"))}\n";
        }

        XElement? docs = _docs.Find(member);
        string signature = member switch
        {
            FieldInfo field => ApiSignature.OfField(field),
            PropertyInfo property => ApiSignature.OfProperty(property),
            EventInfo one => $"event {TypeName.Of(one.EventHandlerType!)} {one.Name}",
            _ => ApiSignature.OfMethod((MethodBase)member),
        };
        // The properties and the constructor of a record are described by its parameters.
        XElement? summary = docs?.Element("summary");
        if (ApiSignature.IsRecord(type) && member is PropertyInfo && summary is null)
        {
            summary = _docs.Find(type)?.Elements("param").FirstOrDefault(one => one.Attribute("name")!.Value == member.Name);
        }

        bool ofRecord = ApiSignature.IsRecord(type) && IsPositional(type, member);
        string words = ofRecord ? "" : _docs.Text(summary);
        if (words.Length == 0 && ApiDocs.DescribedBy(member) is string other)
        {
            words = $"As `{other}`.";
        }

        StringBuilder text = new($"- `{signature}`{(words.Length > 0 ? ": " : "")}{words}\n");
        IEnumerable<string?> parameters = ((member as MethodBase)?.GetParameters() ?? (member as PropertyInfo)?.GetIndexParameters() ?? []).Select(parameter => parameter.Name);
        foreach (XElement part in ofRecord || docs is null ? [] : docs.Elements())
        {
            string line = part.Name.LocalName switch
            {
                "remarks" => _docs.Text(part),
                "param" when !parameters.Contains(part.Attribute("name")!.Value) => "", // inherited from one with more
                "typeparam" or "param" => $"`{part.Attribute("name")!.Value}`: {_docs.Text(part)}",
                "returns" => $"returns {_docs.Text(part)}",
                "value" => _docs.Text(part),
                "exception" => $"throws {ApiDocs.Exception(part)}: {_docs.Text(part)}",
                _ => "",
            };
            text.Append(line.Length > 0 ? $"  - {line}\n" : "");
        }

        return text.ToString();
    }

    // The constructor of "record R(int A)": its parameters are properties.
    private static bool IsPositional(Type type, MemberInfo member) =>
        member is ConstructorInfo constructor && constructor.GetParameters() is { Length: > 0 } parameters
        && parameters.All(parameter => type.GetProperty(parameter.Name!) is not null);

    private static IEnumerable<IGrouping<string, Type>> Types(Assembly assembly) => assembly.GetExportedTypes()
        .Where(type => type.Namespace != typeof(ModelProto).Namespace && !type.IsDefined(typeof(CompilerGeneratedAttribute)))
        .OrderBy(TypeName.Of, StringComparer.Ordinal).GroupBy(type => type.Namespace!).OrderBy(space => space.Key, StringComparer.Ordinal);

    // Ordered by kind and name, not as compiled: the order of source files differs from machine to machine.
    private IEnumerable<MemberInfo> Members(Type type)
    {
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            return [];
        }

        if (type.IsEnum)
        {
            return type.GetFields(BindingFlags.Public | BindingFlags.Static).OrderBy(field => Convert.ToInt64(field.GetRawConstantValue(), null));
        }

        return type.GetMembers(Own).Where(member => IsShown(type, member)).OrderBy(Rank)
            .ThenBy(member => member.Name, StringComparer.Ordinal).ThenBy(DocId.Of, StringComparer.Ordinal);
    }

    private bool IsShown(Type type, MemberInfo member)
    {
        bool record = ApiSignature.IsRecord(type);
        bool visible = member switch
        {
            FieldInfo field => (field.IsPublic || field.IsFamily) && !field.IsSpecialName,
            PropertyInfo property => ApiSignature.IsVisible(property.GetMethod) || ApiSignature.IsVisible(property.SetMethod),
            EventInfo one => ApiSignature.IsVisible(one.AddMethod),
            ConstructorInfo constructor => ApiSignature.IsVisible(constructor) && !(record && constructor.GetParameters() is [{ } only] && only.ParameterType == type)
                && (constructor.GetParameters().Length > 0 || _docs.Find(constructor) is not null),
            MethodInfo method => ApiSignature.IsVisible(method) && (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal)),
            _ => false,
        };
        // What the compiler writes for records, and what everything has.
        bool usual = member.Name is "ToString" or "GetHashCode" or "Equals" or "Finalize" or "<Clone>$" or "PrintMembers" or "EqualityContract"
            || (record && member.Name is "Deconstruct" or "op_Equality" or "op_Inequality");
        return visible && !usual;
    }

    private static int Rank(MemberInfo member) => member switch
    {
        FieldInfo => 0,
        ConstructorInfo => 1,
        PropertyInfo => 2,
        EventInfo => 3,
        _ => 4,
    };
}
