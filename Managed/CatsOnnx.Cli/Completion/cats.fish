# SPDX-License-Identifier: MIT
# Completion of cats in fish. In ~/.config/fish/config.fish: cats completion fish | source
function __cats_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -l line (string join ' ' -- cats $words[2..] (commandline -ct))
    set -l found ($program "[suggest:"(string length -- $line)"]" $line 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c cats -f -a '(__cats_complete)'
