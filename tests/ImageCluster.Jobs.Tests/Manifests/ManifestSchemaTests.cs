using CsCheck;
using ImageCluster.Testing;
using ImageCluster.Jobs.Manifests;
using Newtonsoft.Json.Linq;
using NJsonSchema;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace ImageCluster.Jobs.Tests.Manifests;

public class ManifestSchemaTests
{
    private static readonly JsonSchema Schema = JsonSchema.FromJsonAsync(ManifestSchema.Text).GetAwaiter().GetResult();

    [Fact]
    public void The_documented_examples_are_valid()
    {
        foreach (string example in ManifestExamples.Documented.Values)
        {
            Assert.Empty(Schema.Validate(ToJson(example)));
        }
    }

    [Fact]
    public void What_the_writer_writes_is_valid() => Assert.Empty(Schema.Validate(ToJson(
        ManifestWriter.Write(ManifestParser.Parse(ManifestExamples.Documented["full"], formats: FakeFormats.All)))));

    [Fact]
    public void Schema_and_parser_have_the_same_keys()
    {
        JsonSchema limits = Schema.Properties["limits"].ActualSchema;
        AssertKeys(ManifestKeys.Manifest, Schema);
        AssertKeys(ManifestKeys.Source, Schema.Definitions["source"]);
        AssertKeys(ManifestKeys.Target, Schema.Definitions["target"]);
        AssertKeys(ManifestKeys.Parallel, Schema.Properties["parallel"].ActualSchema);
        AssertKeys(ManifestKeys.Limits, limits);
        AssertKeys(ManifestKeys.RootLimit, limits.Properties["roots"].ActualSchema.AdditionalPropertiesSchema!.ActualSchema);
    }

    [Fact]
    public void Schema_and_parser_agree_on_the_values_of_choices_and_their_defaults()
    {
        AssertChoices<VerifyMode>(Schema.Properties["verify"].ActualSchema);
        AssertChoices<BackingChain>(Schema.Definitions["target"].Properties["backing"].ActualSchema);
        AssertChoices<ExistingTarget>(Schema.Definitions["target"].Properties["existing"].ActualSchema);
        Assert.Equal(TargetPattern.Default.Text, Schema.Definitions["target"].Properties["name"].Default);
        Assert.Equal((long)MigrationManifest.DefaultPriority, Schema.Properties["priority"].Default);
    }

    /// <summary>One value of the full example is replaced by another; schema and parser must then say the same.</summary>
    [Fact]
    public void Schema_and_parser_agree_on_changed_examples()
    {
        JObject full = JObject.Parse(ToJson(ManifestExamples.Documented["full"]));
        string[] places = [.. full.Descendants().Where(token => token is not JProperty).Select(token => token.Path)];
        Gen<JToken> values = Gen.OneOf(
            Gen.Int[-2, 120].Select(i => (JToken)i),
            Gen.OneOf<JToken>(true, 1.5, "", "1", "true", "compare", "fail", "vmware", "keep", "200M", "x[", "../a", "/a", "qcow2", 100_000_000_000_000L),
            Gen.Const(0).Select(_ => (JToken)new JArray()),
            Gen.Const(0).Select(_ => (JToken)new JObject()),
            Gen.Const(0).Select(_ => (JToken)new JArray("a.img")),
            Gen.Const(0).Select(_ => (JToken)new JArray(new JArray("a"))),
            Gen.Const(0).Select(_ => (JToken)new JObject { ["rate"] = "1M" }));
        Gen.Select(Gen.OneOf(places), values).Holds((place, value) =>
        {
            var changed = (JObject)full.DeepClone();
            changed.SelectToken(place)!.Replace(value.DeepClone());
            bool valid = Schema.Validate(changed.ToString()).Count == 0;
            bool parsed = Parses(changed.ToString(), out string error);
            // The parser knows more than a schema can say, and takes a number where a text is meant (a name such as 2024).
            return valid ? parsed || OnlyParserKnows(error) : !parsed || value.Type is JTokenType.Integer or JTokenType.Float or JTokenType.Boolean;
        }, cases: 500);
    }

    private static bool OnlyParserKnows(string error) =>
        new[] { "unknown format", "no source or target uses root", "has no option", "part", "'['", "must be bytes a second" }.Any(error.Contains);

    private static bool Parses(string text, out string error)
    {
        try
        {
            ManifestParser.Parse(text, "changed", FakeFormats.All);
            error = "";
            return true;
        }
        catch (ManifestException e)
        {
            error = e.Message;
            return false;
        }
    }

    private static void AssertKeys(IReadOnlyList<string> keys, JsonSchema schema)
    {
        Assert.False(schema.AllowAdditionalProperties);
        Assert.Equal(keys.Order(), schema.Properties.Keys.Order());
    }

    private static void AssertChoices<T>(JsonSchema schema)
        where T : struct, Enum
    {
        Assert.Equal(Enum.GetValues<T>().Select(ManifestMapReader.ChoiceText).Order(), schema.Enumeration.Select(value => (string)value!).Order());
        Assert.Equal(ManifestMapReader.ChoiceText(default(T)), schema.Default);
    }

    // YAML 1.2's core schema, as editors have it.
    private static string ToJson(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return ToJson(stream.Documents[0].RootNode).ToString();
    }

    private static JToken ToJson(YamlNode node) => node switch
    {
        YamlMappingNode map => new JObject(map.Children.Select(child => new JProperty(((YamlScalarNode)child.Key).Value!, ToJson(child.Value)))),
        YamlSequenceNode list => new JArray(list.Children.Select(ToJson)),
        YamlScalarNode { Style: ScalarStyle.Plain, Value: "true" or "false" } flag => bool.Parse(flag.Value!),
        YamlScalarNode { Style: ScalarStyle.Plain } scalar when long.TryParse(scalar.Value, out long number) => number,
        YamlScalarNode scalar => scalar.Value!,
        _ => throw new InvalidOperationException(),
    };
}
