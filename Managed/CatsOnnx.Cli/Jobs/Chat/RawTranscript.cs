// SPDX-License-Identifier: MIT
// One text that the person and the model write in turn, for models that know no conversations.
using CatsOnnx.Tokenization;

namespace CatsOnnx.Cli.Jobs.Chat;

/// <param name="tokenizer">The model's tokenizer.</param>
internal sealed class RawTranscript(TextTokenizer tokenizer) : Transcript
{
    private string _text = "";

    public override bool AnswersStandAlone => false;

    public override int[] Prompt(string line) => tokenizer.Encode(With(line), addSpecialTokens: true);

    public override void Add(string line, string answer) => _text = With(line) + answer;

    public override void Clear() => _text = "";

    private string With(string line) => _text.Length == 0 ? line : $"{_text}\n{line}";
}
