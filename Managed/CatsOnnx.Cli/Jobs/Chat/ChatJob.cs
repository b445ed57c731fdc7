// SPDX-License-Identifier: MIT
// Opens a model for a conversation and holds it.
using CatsOnnx.Cli.Terminal;
using CatsOnnx.Generation;
using CatsOnnx.GraphRewriter.Passes;
using CatsOnnx.Session;
using CatsOnnx.Tokenization;

namespace CatsOnnx.Cli.Jobs.Chat;

internal static class ChatJob
{
    /// <exception cref="UnsuitableInputException">The model has no chat template, or no thresholds to scale.</exception>
    public static async Task<int> Run(ChatRequest request, ToolOutput output, CancellationToken cancellation)
    {
        ChatScreen screen = ChatScreen.For(output);
        ModelInput input = ModelInput.Open(request.Model);
        TextTokenizer tokenizer = input.Folder.LoadTokenizer(request.Tokenizer);
        Transcript transcript = request.Raw
            ? new RawTranscript(tokenizer)
            : new TemplateTranscript(TemplateTranscript.FindTemplate(input.Folder, tokenizer, request.ChatTemplate), tokenizer, request.System);
        using ModelSession session = Sessions.OpenCounting(input, request.Placement, out IReadOnlyList<ActiveCount> counts);
        using TokenGenerator generator = new(session, tokenizer, TokenGeneratorOptions.Counting(counts));
        Talk talk = new(generator, transcript, request.Generation);
        using ChatLoop loop = new(talk, screen);
        screen.Welcome($"{Path.GetFileName(Path.TrimEndingDirectorySeparator(input.Folder.Root))} on {request.Placement.Device}, {(talk.HasDial ? "sparse" : "dense")}. /help lists the commands, Ctrl+C ends an answer, /exit the program.");
        return await loop.Run(cancellation);
    }
}
