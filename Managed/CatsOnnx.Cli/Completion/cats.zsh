#compdef cats
# SPDX-License-Identifier: MIT
# Completion of cats in zsh. In ~/.zshrc, after compinit: source <(cats completion zsh)
_cats_complete() {
  local program=${~${(Q)words[1]}} line="cats ${(j: :)words[2,CURRENT]}"
  local -a found
  found=(${(f)"$("$program" "[suggest:${#line}]" "$line" 2>/dev/null)"})
  if (( $#found )); then
    compadd -a found
  else
    [[ ${words[CURRENT]} != -*=* ]] || compset -P '*=' # a file name follows the =
    _files
  fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _cats_complete cats
