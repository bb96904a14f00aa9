using System.Text.Json.Serialization;
using ImageCluster.Api;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.OpenApi;

namespace ImageCluster.Node.Http;

/// <summary>The HTTP API over whatever implements <see cref="IClusterOperations"/>: endpoints, documents, refusals, token.</summary>
internal static class HttpApi
{
    /// <summary>A manifest has at most 4 Mi characters.</summary>
    public const long MaxRequestBytes = 16 << 20;

    public static void AddHttpApi(this IServiceCollection services)
    {
        services.Configure<JsonOptions>(options =>
        {
            options.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJson.Default);
            options.SerializerOptions.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
            options.SerializerOptions.AllowOutOfOrderMetadataProperties = true;
            options.SerializerOptions.RespectNullableAnnotations = true;
            options.SerializerOptions.RespectRequiredConstructorParameters = true;
            options.SerializerOptions.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        });
        // Also in production: a body that is not what it should be is for the client to see.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddOpenApi("v1", options => options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "ImageCluster",
                Version = "v1",
                Description = "Migrations of disk images on a cluster. Refusals are problem documents (RFC 9457).",
            };
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
            document.Components.SecuritySchemes["token"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer" };
            document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("token", document)] = [] }];
            return Task.CompletedTask;
        }));
    }

    /// <summary>Before all endpoints: what refusals look like, and who may ask.</summary>
    /// <param name="token">Null: everybody on this machine may.</param>
    public static void UseHttpApi(this WebApplication app, string? token)
    {
        app.UseMiddleware<ProblemMiddleware>();
        if (token is not null)
        {
            app.UseMiddleware<TokenMiddleware>(token);
        }
        else
        {
            app.UseMiddleware<LoopbackMiddleware>();
        }
    }

    public static void MapHttpApi(this WebApplication app)
    {
        RouteGroupBuilder group = app.MapGroup("").AddEndpointFilter<EntityTagFilter>();
        MigrationEndpoints.Map(group);
        JobEndpoints.Map(group);
        ImageEndpoints.Map(group);
        WorkerEndpoints.Map(group);
        OperatorEndpoints.Map(group);
        app.MapOpenApi(ApiPaths.OpenApi.Replace("v1", "{documentName}", StringComparison.Ordinal));
    }
}
