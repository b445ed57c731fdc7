// SPDX-License-Identifier: MIT
// A conversation with a chat model in the terminal; an empty line ends it.
using CatsOnnx.Chat;
using Microsoft.Extensions.AI;

if (args.Length == 0)
{
    Console.Error.WriteLine("usage: Chat MODEL   (a chat model's folder, with its chat template)");
    return 1;
}

using CatsChatClient client = CatsChatClient.Open(args[0]);
List<ChatMessage> messages = [];
while (Console.ReadLine() is { Length: > 0 } line)
{
    messages.Add(new ChatMessage(ChatRole.User, line));
    List<ChatResponseUpdate> updates = [];
    await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(messages, new ChatOptions { Temperature = 0.7f, TopP = 0.9f }))
    {
        Console.Write(update.Text);
        updates.Add(update);
    }

    ChatResponse response = updates.ToChatResponse();
    Console.WriteLine($"\n[{response.Usage!.OutputTokenCount} tokens; {response.Usage.CachedInputTokenCount} of {response.Usage.InputTokenCount} of the prompt from the cache]");
    messages.AddRange(response.Messages);
}

return 0;
