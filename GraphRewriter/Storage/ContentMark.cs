// SPDX-License-Identifier: MIT
// The mark in a TensorProto whose bytes are kept outside the graph: an external_data entry that only lives in memory,
// so that copies of a graph keep it. No file holds one: the reader refuses it and the writer resolves it.
using System.Globalization;
using CatsOnnx.GraphRewriter.Proto;

namespace CatsOnnx.GraphRewriter.Storage;

/// <summary>Reads and sets the mark.</summary>
internal static class ContentMark
{
    public const string Key = "cats.content";

    public static ReadOnlySpan<byte> KeyUtf8 => "cats.content"u8;

    /// <summary>The index of the tensor's content, or -1 where its bytes are in the message or in external data.</summary>
    public static int IndexOf(TensorProto tensor) =>
        tensor.ExternalData.Count > 0 && tensor.ExternalData[0].Key == Key
            ? int.Parse(tensor.ExternalData[0].Value, CultureInfo.InvariantCulture)
            : -1;

    public static void Set(TensorProto tensor, int index)
    {
        ClearData(tensor);
        tensor.ExternalData.Add(new StringStringEntryProto { Key = Key, Value = index.ToString(CultureInfo.InvariantCulture) });
    }

    /// <summary>Removes every form of data from the tensor.</summary>
    public static void ClearData(TensorProto tensor)
    {
        tensor.ExternalData.Clear();
        tensor.ClearDataLocation();
        tensor.ClearRawData();
        tensor.FloatData.Clear();
        tensor.Int32Data.Clear();
        tensor.StringData.Clear();
        tensor.Int64Data.Clear();
        tensor.DoubleData.Clear();
        tensor.Uint64Data.Clear();
    }
}
