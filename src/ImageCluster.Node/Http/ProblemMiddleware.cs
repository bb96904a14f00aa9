using System.Text.Json;
using ImageCluster.Api;
using ImageCluster.Api.Documents;

namespace ImageCluster.Node.Http;

/// <summary>Makes problem documents (RFC 9457) of whatever is refused or goes wrong, and of answers that would have an error status and no body.</summary>
internal sealed class ProblemMiddleware(RequestDelegate next, ILogger<ProblemMiddleware> log)
{
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            await next(http);
            if (http.Response is { HasStarted: false, StatusCode: 404 or 405 or 415, ContentLength: null, ContentType: null })
            {
                int status = http.Response.StatusCode;
                await WriteAsync(http, status, status == 404 ? RefusalReason.NotFound : RefusalReason.Invalid, status switch
                {
                    404 => $"there is nothing at {http.Request.Path}",
                    405 => $"{http.Request.Method} is not what {http.Request.Path} does",
                    _ => "the body is not of a type that is taken here",
                }, []);
            }
        }
        catch (Exception e) when (!http.Response.HasStarted && !http.RequestAborted.IsCancellationRequested)
        {
            switch (e)
            {
                case OperationRefusedException refused:
                    await WriteAsync(http, StatusOf(refused.Reason), refused.Reason, refused.Message, refused.Details);
                    break;
                case BadHttpRequestException bad:
                    await WriteAsync(http, bad.StatusCode, RefusalReason.Invalid, Line(bad.InnerException is JsonException inner ? inner : bad), []);
                    break;
                case JsonException json:
                    await WriteAsync(http, 400, RefusalReason.Invalid, Line(json), []);
                    break;
                default:
                    log.LogError(e, "{Method} {Path} failed", http.Request.Method, http.Request.Path);
                    await WriteAsync(http, 500, RefusalReason.Internal, "the node made a mistake; its log says more", []);
                    break;
            }
        }
    }

    public static Task WriteAsync(HttpContext http, int status, RefusalReason reason, string detail, IReadOnlyList<string> errors)
    {
        string word = JsonNamingPolicy.CamelCase.ConvertName(reason.ToString());
        var problem = new ProblemDocument
        {
            Type = $"urn:imagecluster:refusal:{word}",
            Title = TitleOf(reason),
            Status = status,
            Detail = detail,
            Reason = word,
            Errors = errors.Count > 0 ? errors : null,
        };
        http.Response.Clear();
        http.Response.StatusCode = status;
        return http.Response.WriteAsJsonAsync(problem, ApiJson.Default.ProblemDocument, ProblemDocument.ContentType, http.RequestAborted);
    }

    private static string Line(Exception e) => e.Message.ReplaceLineEndings(" ");

    private static int StatusOf(RefusalReason reason) => reason switch
    {
        RefusalReason.Invalid => 400,
        RefusalReason.Unauthorized => 401,
        RefusalReason.NotFound => 404,
        RefusalReason.Conflict or RefusalReason.Busy => 409,
        RefusalReason.Unavailable => 503,
        _ => 500,
    };

    private static string TitleOf(RefusalReason reason) => reason switch
    {
        RefusalReason.Invalid => "The request is not understood.",
        RefusalReason.Unauthorized => "A token is needed.",
        RefusalReason.NotFound => "There is no such thing.",
        RefusalReason.Conflict => "Not in this state.",
        RefusalReason.Busy => "Somebody is in the way.",
        RefusalReason.Unavailable => "The cluster does not answer now.",
        _ => "The node made a mistake.",
    };
}
