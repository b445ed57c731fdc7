// SPDX-License-Identifier: MIT
// The README's quick start and the sample applications, built from the packages, as people use them: over standard input and
// output, and over HTTP.
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace CatsOnnx.Tests.EndToEnd.Packages;

[Collection(PackedFeedCollection.Name)]
public sealed class SampleTests(SamplesFromPackages samples) : IClassFixture<SamplesFromPackages>
{
    private const string Prompt = "Once upon a time";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void The_quick_start_says_what_the_installed_tool_says()
    {
        string library = Assert.Single(Directory.GetFiles(samples.Output("QuickStart"), "libcats_onnx.so", SearchOption.AllDirectories));
        Assert.Equal(samples.Feed.Read("CatsOnnx.Native")["runtimes/linux-x64/native/libcats_onnx.so"], File.ReadAllBytes(library));
        CliRun run = samples.Feed.Sandbox.Run("dotnet", samples.Program("QuickStart"), samples.Model, Prompt).Expect(0);
        Assert.Matches(@"\n\d+ tokens, [\d.]+ a second", run.Output);
        CliRun tool = samples.Feed.Sandbox.Run(samples.Tool, "generate", samples.Model, "--prompt", Prompt, "--max-new-tokens", "60").Expect(0);
        Assert.StartsWith(tool.Output.Trim(), Prompt + run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_chat_answers_line_by_line_and_an_empty_line_ends_it()
    {
        using Process process = samples.Feed.Sandbox.Start("dotnet", samples.Program("Chat"), samples.Model);
        process.StandardInput.WriteLine(Prompt);
        process.StandardInput.WriteLine("and then");
        process.StandardInput.WriteLine();
        CliRun run = CliTool.Finish(process).Expect(0);
        string[] ends = [.. run.Output.Split('\n').Where(line => line.EndsWith("of the prompt from the cache]", StringComparison.Ordinal))];
        Assert.Equal(2, ends.Length);
        Assert.Matches(@"^\[\d+ tokens; 0 of \d+ ", ends[0]);
        Assert.Matches(@"^\[\d+ tokens; [1-9]\d* of \d+ ", ends[1]); // the second turn goes on from the first
    }

    [Fact]
    public async Task The_web_api_answers_whole_and_streamed_and_refuses_bad_options_by_name()
    {
        using WebApi api = await WebApi.Start(samples);
        JsonElement whole = await api.Chat(new { messages = Messages(Prompt), max_output_tokens = 12 });
        string text = whole.GetProperty("text").GetString()!;
        Assert.NotEmpty(text.Trim());
        JsonElement end = whole.GetProperty("end");
        Assert.Equal(12, end.GetProperty("output_token_count").GetInt32());
        Assert.InRange(end.GetProperty("sparsity").GetDouble(), .2, .8);

        using HttpResponseMessage streamed = await api.Client.PostAsJsonAsync("/chat/stream", new { messages = Messages(Prompt), max_output_tokens = 12 }, Cancellation);
        Assert.Equal("text/event-stream", streamed.Content.Headers.ContentType?.MediaType);
        string[] events = (await streamed.Content.ReadAsStringAsync(Cancellation)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(text, string.Concat(events[..^1].Select(piece => JsonDocument.Parse(piece["data: ".Length..]).RootElement.GetProperty("text").GetString())));
        Assert.StartsWith("event: end\ndata: {\"finish_reason\":\"length\"", events[^1], StringComparison.Ordinal);

        JsonElement dense = await api.Chat(new { messages = Messages(Prompt), max_output_tokens = 12, threshold_scale = 0 });
        Assert.Equal(0, dense.GetProperty("end").GetProperty("sparsity").GetDouble());

        (object Request, string Named)[] refused =
        [
            (new { messages = Messages("x"), temprature = 1 }, "temprature"),
            (new { messages = Messages("x"), top_p = 7 }, "TopP must be"),
            (new { messages = Messages("x"), max_output_tokens = 0 }, "MaxOutputTokens is 0"),
            (new { messages = Messages("x"), threshold_scale = -1 }, "is -1"),
            (new { messages = Messages(string.Concat(Enumerable.Repeat("house ", 3000))) }, "context of 2048"),
            (new { temperature = 1 }, "messages"),
        ];
        foreach (string path in (string[])["/chat", "/chat/stream"])
        {
            foreach ((object request, string named) in refused)
            {
                using HttpResponseMessage response = await api.Client.PostAsJsonAsync(path, request, Cancellation);
                Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
                Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
                Assert.Contains(named, (await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("detail").GetString(), StringComparison.Ordinal);
            }
        }

        string log = await api.Stop();
        Assert.Contains("Opened ", log, StringComparison.Ordinal);
        Assert.DoesNotContain("fail: ", log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_web_api_ends_an_answer_when_its_reader_leaves_and_queues_so_many()
    {
        using WebApi api = await WebApi.Start(samples);
        object endless = new { messages = Messages(Prompt), max_output_tokens = 2000, temperature = 2, seed = 1 };
        using (HttpResponseMessage response = await api.Send("/chat/stream", endless))
        {
            await using Stream body = await response.Content.ReadAsStreamAsync(Cancellation);
            Assert.NotEqual(-1, body.ReadByte()); // the answer runs; then its reader is gone
        }

        Task<HttpResponseMessage>[] many = [.. Enumerable.Range(0, 24).Select(_ => api.Client.PostAsJsonAsync("/chat", new { messages = Messages(Prompt), max_output_tokens = 40 }, Cancellation))];
        HttpStatusCode[] codes = [.. (await Task.WhenAll(many)).Select(response => response.StatusCode)];
        Assert.All(codes, code => Assert.True(code is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable, $"{code}"));
        Assert.InRange(codes.Count(code => code == HttpStatusCode.OK), 16, 24);

        // Told to end while an answer runs: it ends, and so does the process.
        Stopwatch watch = Stopwatch.StartNew();
        string log = await api.Stop();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"it took {watch.Elapsed} to end");
        Assert.DoesNotContain("fail: ", log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "ModelPath is missing")]
    [InlineData("/nowhere", "no file or folder '/nowhere'")]
    [InlineData("/", "Folder '/' holds no graph")]
    public void The_web_api_says_which_option_is_wrong_and_ends(string model, string named)
    {
        CliRun run = samples.Feed.Sandbox.Run("dotnet", samples.Program("WebApi"), "--urls", "http://127.0.0.1:0", $"--Cats:ModelPath={model}", "--Logging:LogLevel:CatsOnnx=None").Expect(1);
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(named, run.Error, StringComparison.Ordinal);
    }

    private static object[] Messages(string content) => [new { role = "user", content }];

    // The running web application, on a port that the system chose.
    private sealed class WebApi : IDisposable
    {
        private readonly Process _process;
        private readonly StringBuilder _log = new();
        private readonly TaskCompletionSource<string> _listening = new();

        private WebApi(SamplesFromPackages samples)
        {
            _process = samples.Feed.Sandbox.Start("dotnet", samples.Program("WebApi"), "--contentRoot", samples.Output("WebApi"), "--urls", "http://127.0.0.1:0", $"--Cats:ModelPath={samples.Model}");
            _process.OutputDataReceived += (_, line) => Read(line.Data);
            _process.ErrorDataReceived += (_, line) => Read(line.Data);
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
        }

        public HttpClient Client { get; } = new() { Timeout = TimeSpan.FromMinutes(2) };

        public static async Task<WebApi> Start(SamplesFromPackages samples)
        {
            WebApi api = new(samples);
            api.Client.BaseAddress = new Uri(await api._listening.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation));
            HttpStatusCode code;
            while ((code = (await api.Client.GetAsync("/health", Cancellation)).StatusCode) != HttpStatusCode.OK)
            {
                Assert.Equal(HttpStatusCode.ServiceUnavailable, code); // loading
                Assert.False(api._process.HasExited, api._log.ToString());
                await Task.Delay(50, Cancellation);
            }

            return api;
        }

        public async Task<JsonElement> Chat(object request)
        {
            using HttpResponseMessage response = await Client.PostAsJsonAsync("/chat", request, Cancellation);
            string body = await response.Content.ReadAsStringAsync(Cancellation);
            Assert.True(response.IsSuccessStatusCode, body);
            return JsonDocument.Parse(body).RootElement;
        }

        // Returns when the answer begins.
        public Task<HttpResponseMessage> Send(string path, object request) =>
            Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(request) }, HttpCompletionOption.ResponseHeadersRead, Cancellation);

        // Ends it as a service manager does; gives what it logged.
        public async Task<string> Stop()
        {
            using Process kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
            await _process.WaitForExitAsync(Cancellation).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
            Assert.True(_process.ExitCode == 0, $"exit code {_process.ExitCode}\n{_log}");
            return _log.ToString();
        }

        public void Dispose()
        {
            Client.Dispose();
            if (!_process.HasExited)
            {
                _process.Kill();
            }

            _process.Dispose();
        }

        private void Read(string? line)
        {
            const string Listening = "Now listening on: ";
            _log.AppendLine(line);
            if (line?.IndexOf(Listening, StringComparison.Ordinal) is int at and >= 0)
            {
                _listening.TrySetResult(line[(at + Listening.Length)..].Trim());
            }
        }
    }
}
