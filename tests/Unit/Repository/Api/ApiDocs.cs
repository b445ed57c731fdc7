// SPDX-License-Identifier: MIT
// The XML documentation of our assemblies as Markdown; <inheritdoc/> is followed to where the words stand.
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace CatsOnnx.Tests.Unit.Repository.Api;

internal sealed partial class ApiDocs
{
    private readonly Dictionary<string, XElement> _members = new(StringComparer.Ordinal);
    private readonly Func<string, string?> _link;

    /// <param name="assemblies">Their .xml files lie beside them.</param>
    /// <param name="link">Where a documented type ("T:...") is described; null where that is no page of ours.</param>
    public ApiDocs(IEnumerable<Assembly> assemblies, Func<string, string?> link)
    {
        _link = link;
        foreach (Assembly assembly in assemblies)
        {
            string file = Path.ChangeExtension(assembly.Location, ".xml");
            foreach (XElement member in XDocument.Load(file, LoadOptions.PreserveWhitespace).Descendants("member"))
            {
                _members[member.Attribute("name")!.Value] = member;
            }
        }
    }

    /// <summary>What is written of a member, or null.</summary>
    public XElement? Find(MemberInfo member)
    {
        XElement? found = _members.GetValueOrDefault(DocId.Of(member));
        if (found?.Element("inheritdoc") is not XElement inherit)
        {
            return found;
        }

        XElement? source = inherit.Attribute("cref") is XAttribute reference
            ? _members.GetValueOrDefault(reference.Value)
            : Bases(member).Select(Find).FirstOrDefault(one => one is not null);

        // What the member says itself comes before what it inherits.
        return new XElement("member", found.Elements().Where(own => own.Name != "inheritdoc"), source?.Elements().Where(other =>
            !found.Elements(other.Name).Any(own => own.Attribute("name")?.Value == other.Attribute("name")?.Value)));
    }

    /// <summary>A part of the documentation as Markdown on one line; empty where it is absent.</summary>
    public string Text(XElement? part)
    {
        if (part is null)
        {
            return "";
        }

        StringBuilder text = new();
        foreach (XNode node in part.Nodes())
        {
            text.Append(node switch
            {
                XText words => Escape(words.Value),
                XElement { Name.LocalName: "see" or "seealso" } see => See(see),
                XElement { Name.LocalName: "paramref" or "typeparamref" } name => $"`{name.Attribute("name")!.Value}`",
                XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
                XElement { Name.LocalName: "code" } code => $"`{Space().Replace(code.Value.Trim(), " ")}`",
                XElement { Name.LocalName: "para" } paragraph => $" {Text(paragraph)} ",
                XElement other => throw new NotSupportedException($"<{other.Name}> in XML documentation is not known here (tests/Unit/Repository/Api/ApiDocs.cs)."),
                _ => "",
            });
        }

        return Space().Replace(text.ToString(), " ").Trim();
    }

    /// <summary>The exception that an exception tag names, as code.</summary>
    public static string Exception(XElement tag) => $"`{NameOf(tag.Attribute("cref")!.Value)}`";

    /// <summary>Where a member that says nothing itself is described ("IDisposable.Dispose"), or null.</summary>
    public static string? DescribedBy(MemberInfo member) => member is not (Type or ConstructorInfo) && Bases(member).FirstOrDefault() is MemberInfo other
        ? $"{TypeName.Short(other.DeclaringType!)}.{other.Name}"
        : null;

    private string See(XElement see)
    {
        if (see.Attribute("langword") is XAttribute word)
        {
            return $"`{word.Value}`";
        }

        if (see.Attribute("href") is XAttribute address)
        {
            return $"[{(see.Value.Length > 0 ? see.Value : address.Value)}]({address.Value})";
        }

        string id = see.Attribute("cref")!.Value;
        string name = see.Value.Length > 0 ? see.Value : NameOf(id);
        string path = id[2..].Split('(')[0];
        string type = id[0] == 'T' ? id : "T:" + path[..path.LastIndexOf('.')];
        return _link(type) is string target ? $"[{name}]({target})" : $"`{name}`";
    }

    // "M:A.B.Type.Method(System.Int32)" is Type.Method, "T:A.B.Type`1" is Type.
    private static string NameOf(string id)
    {
        string[] parts = id[2..].Split('(')[0].Split('.');
        string name = Arity().Replace(parts[^1], "");
        return id[0] == 'T' ? name : name == "#ctor" ? parts[^2] : $"{Arity().Replace(parts[^2], "")}.{name}";
    }

    private static IEnumerable<MemberInfo> Bases(MemberInfo member)
    {
        if (member is Type type)
        {
            return type.BaseType is Type parent ? [parent, .. type.GetInterfaces()] : type.GetInterfaces();
        }

        Type owner = member.DeclaringType!;
        IEnumerable<Type> types = owner.BaseType is Type above ? [above, .. owner.GetInterfaces()] : owner.GetInterfaces();
        string key = Key(member);
        return types.Select(Definition).SelectMany(one => one.GetMembers(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static))
            .Where(other => other.MemberType == member.MemberType && Key(other) == key);

        static Type Definition(Type one) => one.IsGenericType ? one.GetGenericTypeDefinition() : one;
        static string Key(MemberInfo one) => one is MethodBase method ? $"{method.Name}/{method.GetParameters().Length}" : one.Name;
    }

    private static string Escape(string words) => words.Replace("<", "\\<", StringComparison.Ordinal).Replace("*", "\\*", StringComparison.Ordinal);

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    [GeneratedRegex(@"`+\d+$")]
    private static partial Regex Arity();
}
