// SPDX-License-Identifier: MIT
// A web API on one model. POST /chat answers whole, POST /chat/stream as server-sent events, GET /health says whether the model
// is loaded. The model answers one request at a time: the others wait in a queue of 16, and what finds it full gets 503.
//
//   Cats__ModelPath=MODEL dotnet run --urls http://localhost:5000
//   curl -N localhost:5000/chat/stream -H 'Content-Type: application/json' -d '{"messages": [{"role": "user", "content": "Hello"}]}'
using System.Diagnostics.CodeAnalysis;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.AI;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Services.AddCats(options => builder.Configuration.GetSection("Cats").Bind(options)); // appsettings.json, Cats__ModelPath, --Cats:ModelPath
builder.Services.AddRateLimiter(limiter =>
{
    limiter.AddConcurrencyLimiter("model", queue => (queue.PermitLimit, queue.QueueLimit) = (1, 16));
    limiter.RejectionStatusCode = StatusCodes.Status503ServiceUnavailable;
});
builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);

// What the model cannot take comes as an exception that names it: 400 with its words.
builder.Services.AddProblemDetails(details => details.CustomizeProblemDetails = context =>
    context.ProblemDetails.Detail ??= IsRefused(context.Exception) ? (context.Exception.InnerException ?? context.Exception).Message : null);

await using WebApplication app = builder.Build();
app.UseExceptionHandler(new ExceptionHandlerOptions
{
    StatusCodeSelector = error => error is BadHttpRequestException bad ? bad.StatusCode : IsRefused(error) ? StatusCodes.Status400BadRequest : StatusCodes.Status500InternalServerError,
    SuppressDiagnosticsCallback = context => IsRefused(context.Exception),
});
app.UseStatusCodePages();
app.UseRateLimiter();

IChatClient? model = null; // until it is loaded
app.MapGet("/health", () => model is null ? Results.Text("loading", statusCode: StatusCodes.Status503ServiceUnavailable) : Results.Text("ready"));
RouteGroupBuilder chat = app.MapGroup("/chat").RequireRateLimiting("model").AddEndpointFilter(async (context, next) =>
{
    context.HttpContext.Response.Headers.RetryAfter = model is null ? "5" : default;
    return model is null ? Results.Problem("The model is being loaded.", statusCode: StatusCodes.Status503ServiceUnavailable) : await next(context);
});

// The token is cancelled when the client goes away, which ends the answer within the time of one token.
chat.MapPost("/", async (ChatRequest request, CancellationToken gone) =>
{
    ChatResponse response = await model!.GetResponseAsync(request.ToMessages(), request.ToOptions(), gone);
    return new { response.Text, End = End(response.FinishReason, response.Usage, response.AdditionalProperties) };
});
chat.MapPost("/stream", async (ChatRequest request, CancellationToken gone) =>
{
    IAsyncEnumerator<ChatResponseUpdate> updates = model!.GetStreamingResponseAsync(request.ToMessages(), request.ToOptions(), gone).GetAsyncEnumerator(gone);
    await updates.MoveNextAsync(); // what is refused is refused here, while the status can still say so
    return TypedResults.ServerSentEvents(Events(updates));
});

try
{
    await app.StartAsync(); // checks the options
    model = await Task.Run(app.Services.GetRequiredService<IChatClient>);
    await app.WaitForShutdownAsync();
    return 0;
}
catch (Exception error) when (model is null)
{
    Console.Error.WriteLine($"error: {error.Message}");
    return 1;
}

static bool IsRefused([NotNullWhen(true)] Exception? error) => error is BadHttpRequestException or ArgumentException or NotSupportedException;

// data: {"text": ...} for each piece, then event: end.
static async IAsyncEnumerable<SseItem<object>> Events(IAsyncEnumerator<ChatResponseUpdate> updates)
{
    await using (updates)
    {
        do
        {
            ChatResponseUpdate update = updates.Current;
            yield return update.FinishReason is null
                ? new SseItem<object>(new { update.Text })
                : new SseItem<object>(End(update.FinishReason, update.Contents.OfType<UsageContent>().FirstOrDefault()?.Details, update.AdditionalProperties), "end");
        }
        while (await updates.MoveNextAsync());
    }
}

static object End(ChatFinishReason? reason, UsageDetails? usage, AdditionalPropertiesDictionary? more) =>
    new { FinishReason = reason?.Value, usage?.InputTokenCount, usage?.OutputTokenCount, Sparsity = more?.GetValueOrDefault("cats.sparsity") };
