using System.Security.Cryptography;
using System.Text.Json;
using ImageCluster.Api;
using Microsoft.Net.Http.Headers;

namespace ImageCluster.Node.Http;

/// <summary>
/// Gives answers of GET a tag made of their content, so that whoever asks again and again (<c>If-None-Match</c>) gets 304 and no body while
/// nothing has changed.
/// </summary>
internal sealed class EntityTagFilter : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        object? answer = await next(context);
        HttpContext http = context.HttpContext;
        if (!HttpMethods.IsGet(http.Request.Method) || answer is null or IResult)
        {
            return answer;
        }

        byte[] body = JsonSerializer.SerializeToUtf8Bytes(answer, answer.GetType(), ApiJson.Default);
        var tag = new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(body).AsSpan(0, 12))}\"");
        http.Response.GetTypedHeaders().ETag = tag;
        return http.Request.GetTypedHeaders().IfNoneMatch.Any(known => known.Compare(tag, useStrongComparison: false))
            ? Results.StatusCode(StatusCodes.Status304NotModified)
            : Results.Bytes(body, "application/json; charset=utf-8");
    }
}
