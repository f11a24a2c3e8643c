#!/usr/bin/env bash
# The main job for real, on this computer and without touching it: boots a Debian machine in a
# network namespace, brings it Traefik and the route server with two commands of rdc, starts a
# container, and asks for it over HTTPS. `--keep` leaves the machine up to look around.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

readonly machine=demo
readonly url=https://hello-2816.example.test/

keep=no

main() {
  case "${1:-}" in
    '') ;;
    --keep) keep=yes ;;
    *) echo "usage: tests/demo.sh [--keep]" >&2 && exit 2 ;;
  esac
  ((EUID == 0)) || { echo "error: the test machine needs root" >&2 && echo "hint: run \`sudo tests/demo.sh\`" >&2 && exit 1; }

  tests/setup
  cargo build --release --locked
  home="$(mktemp -d)"
  trap clean_up EXIT
  export XDG_CONFIG_HOME="$home"
  PATH="$(programs):$PATH"

  say 'A machine: a fresh Debian with sshd, a Docker daemon, and an ACME server for certificates.'
  show tests/machine up "$machine" --daemons 2816 --acme
  read_machine

  say 'The workstation: where the machine is, and what it shall serve.'
  show rdc context create-local default --ssh-key "$SSH_KEY"
  show rdc context add-machine server-1 --ip "$ADDR" --user "$SSH_USER"
  show rdc context set-infra server-1 --public-ipv4 "$ADDR" --base-domain example.test \
    --cert-email admin@example.test --cf-dns-token demo-token --acme-ca-server "$ACME_DIRECTORY"

  say 'The push. The second one finds nothing to do.'
  show rdc --verbose context push-infra server-1 --traefik-binary "$TRAEFIK"
  show rdc context push-infra server-1

  say 'A container of the repository 2816. (`renet compose` would set the labels.)'
  show tests/machine docker "$machine" 2816 run --detach --name hello --network host \
    --label rediacc.service_name=hello --label rediacc.service_ip=127.0.11.2 \
    --label rediacc.network_id=2816 --label rediacc.service_port=8080 \
    busybox httpd -f -p 127.0.11.2:8080 -h /www

  say "Its address is $url, and there is a certificate for it in some seconds:"
  await_answer
  show curl --silent --show-error --include --cacert "$CA_CERT" --resolve "*:443:$ADDR" "$url"
  printf '\n'
  if [[ $keep == yes ]]; then
    say "The machine stays up. On this side: export XDG_CONFIG_HOME=$home; on its: tests/machine ssh $machine
To end it: tests/machine down $machine"
  fi
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
  echo "${CARGO_TARGET_DIR:-$PWD/target}/$host/release"
}

# Reads the machine's addresses and keys into variables of their own.
read_machine() {
  local line
  while read -r line; do
    printf -v "${line%%=*}" '%s' "${line#*=}"
  done < <(tests/machine env "$machine")
}

# The certificate's validation takes some seconds, and has no event that could be awaited from here.
await_answer() {
  local deadline=$((SECONDS + 60))
  until curl --silent --fail --output /dev/null --max-time 5 --cacert "$CA_CERT" --resolve "*:443:$ADDR" "$url"; do
    ((SECONDS < deadline)) || { echo "error: no answer within a minute; tests/machine ssh $machine journalctl -u rediacc-proxy" >&2 && exit 1; }
    sleep 0.1
  done
}

clean_up() {
  if [[ $keep == yes ]]; then return; fi
  rm -rf "$home"
  tests/machine down "$machine"
}

main "$@"
