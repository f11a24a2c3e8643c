//! What lies where on a machine, and which loopback ports are ours: the words that the templates,
//! the push and the machine's side share.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// Where the route server listens and Traefik polls.
pub const ROUTE_SERVER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7111));
/// Where Traefik answers `/ping`.
pub const TRAEFIK_PING: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7112));

/// Where the Traefik answers `/ping` that serves while the other one restarts.
pub const STANDBY_PING: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7113));
/// The entry point on which Traefik answers `/ping`.
pub const PING_ENTRYPOINT: &str = "ping";
/// Where it answers 200 on that entry point as soon as it has the containers' routes, and not before.
pub const READY_PATH: &str = "/ready";

/// Everything that a push configures.
pub const ETC: &str = "/etc/rediacc";
/// Symlink to the live generation; one rename swaps it.
pub const CURRENT: &str = "/etc/rediacc/current";
/// One folder a push, numbered from 1.
pub const GENERATIONS: &str = "/etc/rediacc/generations";
/// There while a push is between its swap and its end.
pub const TRANSACTION: &str = "/etc/rediacc/.transaction";
/// The operator's own dynamic configuration, which no push writes.
pub const DYNAMIC_DIR: &str = "/etc/rediacc/traefik.d";
/// Where the units are installed.
pub const UNIT_DIR: &str = "/etc/systemd/system";
/// Where units are that are gone after a reboot.
pub const RUNTIME_UNIT_DIR: &str = "/run/systemd/system";
/// Where the proxy's user is declared.
pub const SYSUSERS_DIR: &str = "/etc/sysusers.d";
/// The uploaded programs: `{name}/{content hash}/{name}` under it.
pub const PROGRAMS: &str = "/usr/lib/rediacc";
/// `renet` as people and Rediaccfiles call it.
pub const RENET_LINK: &str = "/usr/local/bin/renet";
/// Certificates and ACME accounts: only Traefik writes it.
pub const ACME_STORAGE: &str = "/var/lib/rediacc/proxy/acme.json";
/// Who Traefik runs as.
pub const PROXY_USER: &str = "rediacc-proxy";
/// The route server's state.
pub const ROUTER_STATE_DIR: &str = "/var/lib/rediacc/router";
/// The token by which Traefik asks the route server for routes. It is made on the machine and never
/// leaves it. Beside the state folders, because Traefik's user can look into none but its own.
pub const ROUTE_SERVER_TOKEN: &str = "/var/lib/rediacc/token";
/// What stands for that token in a generation's static configuration. `renet proxy` puts the token in
/// its place in a copy that only Traefik reads: no generation, plan or difference ever has it.
pub const TOKEN_PLACEHOLDER: &str = "@route-server-token@";
/// The repositories' sockets.
pub const SOCKET_DIR: &str = "/var/run/rediacc";
/// What a machine records of its repositories.
pub const REPOSITORIES: &str = "/var/lib/rediacc/repositories.json";
/// The `renet` of the repositories' units: a copy of its own, which stays if the infrastructure is removed.
pub const REPOSITORIES_RENET: &str = "/usr/lib/rediacc/repositories/renet";
/// The messages of the runs of repositories, a folder for each network id.
pub const RUNS: &str = "/run/rediacc-runs";
/// What the engine of each repository keeps while it runs, by its network id.
pub const ENGINES: &str = "/run/rediacc";
/// The operator's settings for the Docker daemons of all repositories, such as registry mirrors.
pub const DOCKER_CONFIG: &str = "/etc/rediacc/docker.json";
/// The settings of the repositories' containerds.
pub const CONTAINERD_CONFIG: &str = "/etc/rediacc/containerd.toml";
/// The folder in a repository that is `renet`'s and the engine's: never synced, and hidden from
/// services.
pub const REPOSITORY_PRIVATE: &str = ".rediacc";
/// The slots of a repository's services, at its root.
pub const SLOTS: &str = ".rediacc.json";
/// The default folder of repositories on a machine.
pub const DATASTORE: &str = "/mnt/rediacc";

/// Traefik's static configuration, in a generation.
pub const TRAEFIK_YML: &str = "traefik.yml";
/// The route server's settings, in a generation.
pub const ROUTER_ENV: &str = "router.env";
/// Traefik's unit, in a generation and installed.
pub const PROXY_SERVICE: &str = "rediacc-proxy.service";
/// The unit of the Traefik that serves while the other one restarts; made on the machine.
pub const STANDBY_SERVICE: &str = "rediacc-proxy-standby.service";
/// The query by which Traefik polls for routes: it obtains certificates once it serves.
pub const CERTIFICATES_LATER: &str = "certificates=later";
/// The query by which a standby polls for routes: it obtains no certificates.
pub const CERTIFICATES_NEVER: &str = "certificates=never";
/// What a Traefik's unit has below `/run`, by its name there.
pub const PROXY_RUNTIME_DIR: &str = "rediacc-proxy";
/// The same for the one that serves while the other restarts.
pub const STANDBY_RUNTIME_DIR: &str = "rediacc-proxy-standby";
/// The route server's unit, in a generation and installed.
pub const ROUTER_SERVICE: &str = "rediacc-router.service";
/// The route server's listening socket, in a generation and installed.
pub const ROUTER_SOCKET: &str = "rediacc-router.socket";
/// The unit that completes a push interrupted by a reboot, in a generation and installed.
pub const SETTLE_SERVICE: &str = "rediacc-settle.service";
/// The proxy's user, in a generation; installed as `rediacc.conf`.
pub const SYSUSERS_CONF: &str = "sysusers.conf";
/// Which entry points a generation opens, and where.
pub const BINDS: &str = "binds.json";
/// Cloudflare's token, in a generation, for root alone.
pub const CF_DNS_TOKEN: &str = "cf-dns-token";
/// Symlink to the Traefik that a generation runs.
pub const TRAEFIK: &str = "traefik";
/// Symlink to the `renet` that a generation runs.
pub const RENET: &str = "renet";

/// The Traefik that a machine gets where nobody asks for another.
pub const TRAEFIK_VERSION: &str = "3.7.15";

/// How long a client of Traefik stays on one connection while it keeps asking, in seconds.
pub const KEEP_ALIVE_MAX_S: u64 = 15;

/// The certificate resolver, as the page's labels name it.
pub const CERT_RESOLVER: &str = "letsencrypt";

/// The preconfigured TCP ports: MySQL, PostgreSQL, Redis, RabbitMQ, Kafka, Memcached, MongoDB.
pub const DEFAULT_TCP_PORTS: [u16; 7] = [3306, 5432, 6379, 5672, 9092, 11211, 27017];
/// The preconfigured UDP port: DNS.
pub const DEFAULT_UDP_PORTS: [u16; 1] = [53];
/// The first and last TCP port that are handed out on demand.
pub const DYNAMIC_PORTS: (u16, u16) = (10000, 10010);
