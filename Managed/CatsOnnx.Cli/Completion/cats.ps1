# SPDX-License-Identifier: MIT
# Completion of cats in PowerShell. In $PROFILE: cats completion pwsh | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName cats -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $position = $cursorPosition - $commandAst.Extent.StartOffset
    $line = $commandAst.ToString().PadRight($position)
    $program = $commandAst.CommandElements[0].Value
    $answers = @(& $program "[suggest:$position]" $line 2>$null)
    # Without an answer: file names, which PowerShell gives by itself, but not behind --option=.
    if ($answers.Count -eq 0 -and "$wordToComplete" -match '^(--[^=]*=)(.*)$') {
        $option = $Matches[1]
        [System.Management.Automation.CompletionCompleters]::CompleteFilename($Matches[2]) | ForEach-Object {
            [System.Management.Automation.CompletionResult]::new($option + $_.CompletionText, $_.ListItemText, $_.ResultType, $_.ToolTip)
        }
    }
    $answers | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
