# SPDX-License-Identifier: MIT
# Completion of cats in bash. In ~/.bashrc: source <(cats completion bash)
_cats_complete() {
  # The program as it was typed, so that ./cats asks itself; the tool reads a line that begins with its own name.
  local program=${1/#\~\//$HOME/} line="cats${COMP_LINE:${#COMP_WORDS[0]}}" IFS=$'\n'
  COMPREPLY=($("$program" "[suggest:$((COMP_POINT - ${#COMP_WORDS[0]} + 4))]" "$line" 2>/dev/null))
  # In --device=c bash replaces what follows the =, where = is one of its word breaks.
  local word=${COMP_LINE:0:COMP_POINT}; word=${word##* }
  if [[ $word == -*=* && $COMP_WORDBREAKS == *=* ]]; then COMPREPLY=("${COMPREPLY[@]#"${word%%=*}="}"); fi
}
# Without an answer: file names.
complete -o bashdefault -o default -F _cats_complete cats
