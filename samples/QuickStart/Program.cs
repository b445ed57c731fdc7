// SPDX-License-Identifier: MIT
// The README's quick start: text from a model folder, and one line for programs that use ONNX Runtime themselves.
using CatsOnnx;
using CatsOnnx.Generation;
using Microsoft.ML.OnnxRuntime;

if (args.Length == 0)
{
    Console.Error.WriteLine("usage: QuickStart MODEL [PROMPT]   (a folder as exporters write it, or one that cats rewrite made)");
    return 1;
}

// Text: the folder's model, tokenizer and configuration.
using TokenGenerator generator = TokenGenerator.Open(args[0]);
GenerationStream stream = generator.Stream(args.Length > 1 ? args[1] : "Once upon a time", new GenerationOptions { MaxNewTokens = 60 });
await foreach (GeneratedToken token in stream)
{
    Console.Write(token.Text);
}

GenerationResult result = await stream.Completion;
Console.WriteLine($"\n{result.Statistics.NewTokens} tokens, {result.Statistics.TokensPerSecond:F1} a second, ended by {result.Reason}");

// Programs with their own loop: one line brings the operators into any session.
using SessionOptions options = new SessionOptions().RegisterCats();
using InferenceSession session = new(generator.Session.Folder.ModelPath, options);
Console.WriteLine($"inputs: {string.Join(", ", session.InputNames.Take(3))}, ...");
return 0;
