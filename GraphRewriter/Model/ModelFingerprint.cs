// SPDX-License-Identifier: MIT
// Recognises a model by its tensors: names, types, shapes and samples of the bytes, so that thresholds of another model are
// noticed in milliseconds whatever the size. It is no proof against tampering: the manifest's SHA-256 is.
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Model;

/// <summary>Computes a model's fingerprint.</summary>
internal static class ModelFingerprint
{
    private const int SampleBytes = 4096;
    private const int SmallBytes = 3 * SampleBytes;

    /// <summary>
    /// SHA-256 over every initializer of the main graph, in order of the names: name, type, dims and its bytes, of which a
    /// large tensor gives 4 KiB from its start, middle and end. Equal whether weights are inline or external.
    /// </summary>
    /// <param name="model">Any model; its files are read in part.</param>
    /// <returns>Lower-case hexadecimal.</returns>
    /// <exception cref="InvalidModelException">A tensor's bytes cannot be read.</exception>
    public static string Compute(OnnxModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[SmallBytes];
        foreach (TensorProto tensor in model.Proto.Graph.Initializer.OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            string head = string.Create(CultureInfo.InvariantCulture, $"{tensor.Name}\0{tensor.DataType}\0{string.Join(',', tensor.Dims)}\n");
            hash.AppendData(Encoding.UTF8.GetBytes(head));
            if (tensor.DataType == (int)TensorProto.Types.DataType.String)
            {
                foreach (Google.Protobuf.ByteString text in tensor.StringData)
                {
                    hash.AppendData(BitConverter.GetBytes(text.Length));
                    hash.AppendData(text.Span);
                }

                continue;
            }

            long length = model.ByteLength(tensor);
            if (length <= SmallBytes)
            {
                Append(tensor, 0, (int)length);
            }
            else
            {
                Append(tensor, 0, SampleBytes);
                Append(tensor, length / 2 / SampleBytes * SampleBytes, SampleBytes);
                Append(tensor, length - SampleBytes, SampleBytes);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Append(TensorProto tensor, long offset, int count)
        {
            model.ReadAt(tensor, offset, buffer.AsSpan(0, count));
            hash.AppendData(buffer.AsSpan(0, count));
        }
    }
}
