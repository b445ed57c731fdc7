// SPDX-License-Identifier: MIT
// Stop strings in pieces.
using CatsOnnx.Generation;

namespace CatsOnnx.Tests.Unit.Host.Generation;

public sealed class StopStringFilterTests
{
    [Fact]
    public void Text_that_may_begin_a_stop_string_waits()
    {
        StopStringFilter filter = new(["END", "###"]);
        Assert.Equal("a", filter.Append("aE"));
        Assert.Equal("", filter.Append("N"));
        Assert.Equal("ENX", filter.Append("X"));
        Assert.Equal("", filter.Append("#"));
        Assert.Equal("", filter.Append("#"));
        Assert.False(filter.Stopped);
        Assert.Equal("", filter.Append("#more"));
        Assert.True(filter.Stopped);
        Assert.Equal("", filter.Append("lost"));
        Assert.Equal("", filter.Finish());
    }

    [Fact]
    public void The_earliest_of_several_stop_strings_counts()
    {
        StopStringFilter filter = new(["later", "soon"]);
        Assert.Equal("x ", filter.Append("x soon or later"));
    }

    [Fact]
    public void What_was_held_back_comes_at_the_end()
    {
        StopStringFilter filter = new(["abab!"]);
        Assert.Equal("ab", filter.Append("ababab"));
        Assert.Equal("abab", filter.Finish());
    }
}
