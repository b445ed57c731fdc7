# SPDX-License-Identifier: MIT
# Completion of cats in PowerShell. In $PROFILE: cats completion pwsh | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName cats -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $position = $cursorPosition - $commandAst.Extent.StartOffset
    $line = $commandAst.ToString().PadRight($position)
    $program = $commandAst.CommandElements[0].Value
    # Without an answer: file names, which PowerShell gives by itself.
    & $program "[suggest:$position]" $line 2>$null | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
