#!/usr/bin/env bash
# The README's example for real, on this computer and without touching it: boots a Debian machine in a
# network namespace, brings it Traefik and the route server, and then a compose file with a web
# application and PostgreSQL, which answers over HTTPS. `--keep` leaves the machine up to look around.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

readonly machine=demo
readonly example=tests/example/my-app
readonly url=https://app.example.test/

keep=no
starting=

main() {
  case "${1:-}" in
    '') ;;
    --keep) keep=yes ;;
    *) echo "usage: tests/demo.sh [--keep]" >&2 && exit 2 ;;
  esac
  ((EUID == 0)) || { echo "error: the test machine needs root" >&2 && echo "hint: run \`sudo tests/demo.sh\`" >&2 && exit 1; }

  tests/setup
  home="$(mktemp -d)"
  trap clean_up EXIT
  export XDG_CONFIG_HOME="$home" XDG_CACHE_HOME="$home/cache"

  say 'The programs, and a machine: a fresh Debian with sshd, Docker, and an ACME server for certificates.'
  # The machine boots, and its images are made, while the programs are built.
  start_machine >"$home/machine.log" 2>&1 &
  starting=$!
  show cargo build --locked --profile quick
  PATH="$(programs):$PATH"
  wait "$starting" || { cat "$home/machine.log" >&2 && exit 1; }
  starting=
  read_machine

  say 'The workstation: where the machine is, and what it serves.'
  show rdc context create-local default --ssh-key "$SSH_KEY"
  show rdc context add-machine server-1 --ip "$ADDR" --user "$SSH_USER"
  show rdc context set-infra server-1 --public-ipv4 "$ADDR" --base-domain example.test \
    --cert-email admin@example.test --cf-dns-token demo-token --acme-ca-server "$ACME_DIRECTORY"

  say 'The push. The second one finds nothing to do.'
  show rdc --verbose context push-infra server-1 --traefik-binary "$TRAEFIK"
  show rdc context push-infra server-1

  say "A repository with the compose file and the Rediaccfile of $example."
  show cat "$example/docker-compose.yml" "$example/Rediaccfile"
  show rdc repo create my-app -m server-1
  show rdc repo up my-app -m server-1 --mount --source "$example"

  say "It is live at $url; each visit is counted in the database."
  show curl --silent --show-error --include --cacert "$CA_CERT" --resolve "*:443:$ADDR" "$url"
  printf '\n'
  if [[ $keep == yes ]]; then
    say "The machine stays up. On this side: export XDG_CONFIG_HOME=$home; on its: tests/machine ssh $machine
To end it: tests/machine down $machine"
  fi
}

start_machine() {
  tests/machine up "$machine" --acme
  tests/machine images "$machine"
}

say() {
  printf '\n\033[1m%s\033[0m\n' "$*"
}

# Prints a command before it runs, as one would type it.
show() {
  printf '\033[2m$ %s\033[0m\n' "$*"
  "$@"
}

# The folder of the programs that were built: below the target that .cargo/config.toml names.
programs() {
  local host
  host="$(rustc -vV | sed -n 's/^host: //p')"
  echo "${CARGO_TARGET_DIR:-$PWD/target}/$host/quick"
}

# Reads the machine's addresses and keys into variables of their own.
read_machine() {
  local line
  while read -r line; do
    printf -v "${line%%=*}" '%s' "${line#*=}"
  done < <(tests/machine env "$machine")
}

clean_up() {
  # A machine that is still booting takes itself down.
  if [[ -n $starting ]]; then kill "$starting" 2>/dev/null && wait "$starting" || true; fi
  if [[ $keep == yes ]]; then return; fi
  rm -rf "$home"
  tests/machine down "$machine"
}

main "$@"
