using System.Text.Json;
using System.Text.Json.Serialization;
using ImageCluster.Imaging.Operations;
using ImageCluster.Jobs.Execution;

namespace ImageCluster.Jobs.Tests;

/// <summary>A state, event or command written out, so that two of them can be compared by what they hold.</summary>
internal static class StateText
{
    private static readonly JsonSerializerOptions Options = new()
    {
        Converters = { new AsText<GuestHash>(), new AsText<ImageName>(), new AsText<RangeSet>(), new SpecConverter(), new JsonStringEnumConverter() },
    };

    public static string Of(object value) => JsonSerializer.Serialize(value, value.GetType(), Options);

    private sealed class AsText<T> : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(value!.ToString());

        public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WritePropertyName(value!.ToString()!);
    }

    /// <summary>A job's spec with what its own type has.</summary>
    private sealed class SpecConverter : JsonConverter<JobSpec>
    {
        private static readonly JsonSerializerOptions Inner = new() { Converters = { new AsText<ImageName>() } };

        public override bool CanConvert(Type typeToConvert) => typeToConvert == typeof(JobSpec);

        public override JobSpec Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, JobSpec value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value, value.GetType(), Inner);
    }
}
