# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rdc_global_optspecs
    string join \n context= json q/quiet v/verbose color= h/help V/version
end

function __fish_rdc_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rdc_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rdc_using_subcommand
    set -l cmd (__fish_rdc_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rdc -n "__fish_rdc_needs_command" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_needs_command" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_needs_command" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_needs_command" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_needs_command" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rdc -n "__fish_rdc_needs_command" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_needs_command" -f -a "context" -d 'Declare machines and what they serve, and bring it to them'
complete -c rdc -n "__fish_rdc_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c rdc -n "__fish_rdc_needs_command" -f -a "man" -d 'Write the manual pages into a folder'
complete -c rdc -n "__fish_rdc_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "create-local" -d 'Create a context on this workstation'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "list" -d 'List the contexts'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "remove" -d 'Remove a context'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "add-machine" -d 'Declare a machine, and trust its host keys'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "machines" -d 'List the machines'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "remove-machine" -d 'Forget a machine; nothing changes on it'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "scan-keys" -d 'Read the machines\' SSH host keys again'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "set-infra" -d 'Declare a machine\'s addresses, domain, certificates and ports'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "show-infra" -d 'Show what is declared of the machines'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "render-infra" -d 'Write the files that a push would write, without a machine'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "push-infra" -d 'Bring what is declared to a machine'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "status-infra" -d 'Say how machines are doing: what runs, listens, is routed, and expires'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "rollback-infra" -d 'Go back to a former generation of a machine'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "remove-infra" -d 'Take away what pushes put on a machine'
complete -c rdc -n "__fish_rdc_using_subcommand context; and not __fish_seen_subcommand_from create-local list remove add-machine machines remove-machine scan-keys set-infra show-infra render-infra push-infra status-infra rollback-infra remove-infra help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from create-local" -l ssh-key -d 'The private key that SSH logs in with' -r -F
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from create-local" -l renet-path -d 'The `renet` to bring to the machines, where not the one beside `rdc`' -r -F
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from create-local" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from create-local" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from create-local" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from create-local" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from create-local" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from create-local" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from create-local" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from list" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from list" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from list" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove" -s y -l yes -d 'Do not ask'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l ip -d 'Its address, or a name that this workstation resolves' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l user -d 'Who logs in: root, or a user with password-less sudo' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l port -d 'The port of its SSH server [default: 22, or what ~/.ssh/config says]' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l datastore -d 'The folder on the machine that holds the repositories' -r -F
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l ssh-config-host -d 'Connect to this `Host` of ~/.ssh/config; the options here win over what stands there' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l host-key-fingerprint -d 'Trust the host key with this fingerprint, and no other' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l local -d 'The machine is this workstation: use no SSH'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l no-scan -d 'Do not read the host keys now: the machine is not up yet'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from add-machine" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from machines" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from machines" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from machines" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from machines" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from machines" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from machines" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from machines" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-machine" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-machine" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-machine" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-machine" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-machine" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-machine" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-machine" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from scan-keys" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from scan-keys" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from scan-keys" -l accept-changed -d 'Trust the new key of a machine whose key changed'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from scan-keys" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from scan-keys" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from scan-keys" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from scan-keys" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from scan-keys" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l public-ipv4 -d 'The IPv4 address that the domain\'s A records name' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l public-ipv6 -d 'The IPv6 address that the domain\'s AAAA records name' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l base-domain -d 'The domain under which containers get their automatic routes' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l cert-email -d 'The e-mail address of the ACME account' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l cf-dns-token -d 'Cloudflare\'s API token for DNS-01, or file:PATH, env:NAME, cmd:COMMAND to find it at a push' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l cf-dns-token-file -d 'The file that holds the token, read at each push; `-` stores what standard input gives' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l tcp-ports -d 'TCP ports to open beside the preconfigured ones, as 25,143,10100-10110' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l udp-ports -d 'UDP ports to open beside the preconfigured ones' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l bind-ipv4 -d 'The IPv4 address that Traefik binds, where it is not the public one' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l bind-ipv6 -d 'The IPv6 address that Traefik binds, where it is not the public one' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l acme-ca-server -d 'The ACME directory, where not Let\'s Encrypt\'s' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l default-ports -d 'Whether the preconfigured ports are opened (databases, queues, DNS, 10000-10010)' -r -f -a "on\t''
off\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l auto-routes -d 'Whether containers without `traefik.enable` get a route' -r -f -a "on\t''
off\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l traefik-version -d 'The Traefik that the machine shall run' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l owner -d 'What belongs to a repository, as 2816=shop.example.com,*.example.org,tcp-25,10.0.0.0/24; repeatable. It replaces that repository\'s list, 2816= clears it, 2816=* is everything that nobody owns, and `host` stands for the daemons outside the socket folder' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l quota -d 'How many times the usual a repository may cost others, as 2816=3; repeatable. 2816= goes back to the usual' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l unset -d 'Go back to the default of a field, which is named as its option; owners and quotas clear those of all repositories' -r -f -a "public-ipv4\t''
public-ipv6\t''
base-domain\t''
cert-email\t''
cf-dns-token\t''
tcp-ports\t''
udp-ports\t''
bind-ipv4\t''
bind-ipv6\t''
acme-ca-server\t''
default-ports\t''
auto-routes\t''
traefik-version\t''
owners\t''
quotas\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l acme-staging -d 'Use Let\'s Encrypt\'s staging directory: untrusted certificates, wide limits'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from set-infra" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from show-infra" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from show-infra" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from show-infra" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from show-infra" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from show-infra" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from show-infra" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from show-infra" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from render-infra" -l out -d 'The folder to write them to; it is made if it is not there' -r -F
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from render-infra" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from render-infra" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from render-infra" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from render-infra" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from render-infra" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from render-infra" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from render-infra" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l jobs -d 'How many machines at a time' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l lock-wait -d 'Wait so long for somebody else\'s push, as 60s or 5m' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l traefik-version -d 'The release of Traefik to run [default: the context\'s, else the machine\'s, else 3.7.15]' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l traefik-binary -d 'The Traefik to run, from this workstation, instead of a release' -r -F
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l all -d 'All machines that have infrastructure settings'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l dry-run -d 'Print what would be done, and change nothing'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l check -d 'The same, and exit with 3 if there is anything to do; --quiet prints nothing'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l diff -d 'Print how the files change, secrets masked'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -s y -l yes -d 'Ask nothing, and overwrite files that were edited on the machine'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from push-infra" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from status-infra" -l jobs -d 'How many machines at a time' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from status-infra" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from status-infra" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from status-infra" -l all -d 'All machines that have infrastructure settings'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from status-infra" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from status-infra" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from status-infra" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from status-infra" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from status-infra" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -l to -d 'The generation to go back to [default: the one before the live one]' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -l lock-wait -d 'Wait so long for somebody else\'s push, as in `60s`' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -l dry-run -d 'Print what would be done, and change nothing'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -s y -l yes -d 'Do not ask before something restarts or a port closes'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from rollback-infra" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -l lock-wait -d 'Wait so long for somebody else\'s push, as in `60s`' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -l purge -d 'Take away the certificates and your own files on the machine too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -l dry-run -d 'Print what would be done, and change nothing'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -s y -l yes -d 'Do not ask'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from remove-infra" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "create-local" -d 'Create a context on this workstation'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the contexts'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a context'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "add-machine" -d 'Declare a machine, and trust its host keys'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "machines" -d 'List the machines'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "remove-machine" -d 'Forget a machine; nothing changes on it'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "scan-keys" -d 'Read the machines\' SSH host keys again'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "set-infra" -d 'Declare a machine\'s addresses, domain, certificates and ports'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "show-infra" -d 'Show what is declared of the machines'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "render-infra" -d 'Write the files that a push would write, without a machine'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "push-infra" -d 'Bring what is declared to a machine'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "status-infra" -d 'Say how machines are doing: what runs, listens, is routed, and expires'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "rollback-infra" -d 'Go back to a former generation of a machine'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "remove-infra" -d 'Take away what pushes put on a machine'
complete -c rdc -n "__fish_rdc_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rdc -n "__fish_rdc_using_subcommand completions" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand completions" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand completions" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand completions" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand completions" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand completions" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand completions" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand man" -l context -d 'The context to work on' -r
complete -c rdc -n "__fish_rdc_using_subcommand man" -l color -d 'When to use colours; also off where NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rdc -n "__fish_rdc_using_subcommand man" -l json -d 'Answer with one JSON object on standard output, errors too'
complete -c rdc -n "__fish_rdc_using_subcommand man" -s q -l quiet -d 'Print results, warnings and errors only'
complete -c rdc -n "__fish_rdc_using_subcommand man" -s v -l verbose -d 'Say more of what is done (twice: all of it)'
complete -c rdc -n "__fish_rdc_using_subcommand man" -s h -l help -d 'Print help'
complete -c rdc -n "__fish_rdc_using_subcommand man" -s V -l version -d 'Print version'
complete -c rdc -n "__fish_rdc_using_subcommand help; and not __fish_seen_subcommand_from context completions man help" -f -a "context" -d 'Declare machines and what they serve, and bring it to them'
complete -c rdc -n "__fish_rdc_using_subcommand help; and not __fish_seen_subcommand_from context completions man help" -f -a "completions" -d 'Print the completions of a shell'
complete -c rdc -n "__fish_rdc_using_subcommand help; and not __fish_seen_subcommand_from context completions man help" -f -a "man" -d 'Write the manual pages into a folder'
complete -c rdc -n "__fish_rdc_using_subcommand help; and not __fish_seen_subcommand_from context completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "create-local" -d 'Create a context on this workstation'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "list" -d 'List the contexts'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "remove" -d 'Remove a context'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "add-machine" -d 'Declare a machine, and trust its host keys'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "machines" -d 'List the machines'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "remove-machine" -d 'Forget a machine; nothing changes on it'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "scan-keys" -d 'Read the machines\' SSH host keys again'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "set-infra" -d 'Declare a machine\'s addresses, domain, certificates and ports'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "show-infra" -d 'Show what is declared of the machines'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "render-infra" -d 'Write the files that a push would write, without a machine'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "push-infra" -d 'Bring what is declared to a machine'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "status-infra" -d 'Say how machines are doing: what runs, listens, is routed, and expires'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "rollback-infra" -d 'Go back to a former generation of a machine'
complete -c rdc -n "__fish_rdc_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "remove-infra" -d 'Take away what pushes put on a machine'
