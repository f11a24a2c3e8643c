# Runs one function of a Rediaccfile: `bash -c THIS renet FILE FUNCTION`. What failed is told on
# descriptor 200, one record a failure: fields end with U+001F, and the record with a NUL.

# Tells: kind, subshell depth, exit code, how many commands the pipeline had, file, line, command.
__rediacc_tell() {
  printf '%s\037' "$1" "$BASH_SUBSHELL" "$2" "$3" "$5" "$6" "$4" >&200
  printf '\0' >&200
}

# The trap of a failed command runs where the command stands. Of a `return` it runs where the
# function was called: the line of the `return` itself was noted when the function ended, unless it
# is one of this text, which bash calls `environment`. What fails in `sudo` below failed where the
# file calls it; of two commands, the line is shown as it is written.
__rediacc_failed() {
  local code=$1 commands=$2 command=$3 file=${BASH_SOURCE[1]:-} line=${BASH_LINENO[0]}
  if [[ $file == environment && ${FUNCNAME[1]:-} == sudo ]]; then
    file=${BASH_SOURCE[2]:-} line=${BASH_LINENO[1]} command=sudo commands=2
  fi
  if [[ $command == return* && ${__rediacc_returned:-environment} != environment* ]]; then
    file=${__rediacc_returned%%:*} line=${__rediacc_returned##*:}
  fi
  __rediacc_tell failed "$code" "$commands" "$command" "$file" "$line"
}

# No trap tells where an `exit` stands.
exit() {
  local code=${1:-$?}
  if [[ $code != 0 ]]; then
    __rediacc_tell failed "$code" 1 "exit $code" "${BASH_SOURCE[1]:-}" "${BASH_LINENO[0]}"
  fi
  builtin exit "$code"
}

# `sudo` drops DOCKER_HOST: what it starts would talk to the machine's own engine. Exported, so that
# it holds in the scripts that a Rediaccfile runs, too.
sudo() {
  local word expects='' keeps='' program=''
  for word in "$@"; do
    if [[ -n $expects ]]; then
      expects=''
      continue
    fi
    case $word in
      --preserve-env | DOCKER_HOST=*) keeps=yes ;;
      --preserve-env=*) [[ ",${word#*=}," == *,DOCKER_HOST,* ]] && keeps=yes ;;
      --user | --group | --host | --prompt | --chdir | --chroot | --role | --type | --other-user | \
        --close-from | --command-timeout) expects=yes ;;
      --?*) ;;
      -*)
        [[ $word == -*E* ]] && keeps=yes
        [[ $word == -*[ughpCRDrtUT] ]] && expects=yes
        ;;
      *=*) ;;
      *)
        program=${word##*/}
        break
        ;;
    esac
  done
  case $program in
    docker | docker-compose | renet)
      if [[ -z $keeps ]]; then
        {
          printf 'sudo drops DOCKER_HOST: `sudo %s` would talk to the own engine of the machine, ' "$program"
          printf 'not to the one of this repository\n'
          printf 'hint: leave `sudo` out, as a Rediaccfile is run by root, or write `sudo -E %s`\n' "$program"
        } >&2
        return 1
      fi
      ;;
  esac
  command sudo "$@"
}
export -f sudo

set -ETeuo pipefail
shopt -s inherit_errexit
trap '__rediacc_failed "$?" "${#PIPESTATUS[@]}" "$BASH_COMMAND"' ERR
trap '[[ $BASH_COMMAND != return* ]] || __rediacc_returned="${BASH_SOURCE[0]:-}:$LINENO"' RETURN
trap '__rediacc_tell ended "$?" 1 "$BASH_COMMAND" "${BASH_SOURCE[0]:-}" ""' EXIT

__rediacc_function=$2
source -- "$1"
if declare -F -- "$__rediacc_function" >/dev/null; then
  __rediacc_tell begins 0 1 "" "" ""
  set --
  "$__rediacc_function"
fi
