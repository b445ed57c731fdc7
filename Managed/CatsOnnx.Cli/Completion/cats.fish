# SPDX-License-Identifier: MIT
# Completion of cats in fish. In ~/.config/fish/config.fish: cats completion fish | source
function __cats_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l program $words[1]
    set -l line (string join ' ' -- cats $words[2..] $word)
    set -l found ($program "[suggest:"(string length -- $line)"]" $line 2>/dev/null)
    if test (count $found) -eq 0
        # A file name, which may follow an option and its =.
        set -l option (string match -r -- '^-[^=]*=' $word; or echo)
        set found $option(__fish_complete_path (string sub -s (math 1 + (string length -- $option)) -- $word))
    end
    test (count $found) -eq 0; or printf '%s\n' $found
end
complete -c cats -f -a '(__cats_complete)'
