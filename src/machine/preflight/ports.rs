//! Which ports Traefik and the route server can have. A preconfigured one that somebody else has
//! is left out, and opened by the next push that finds it free; any other one is a problem.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use super::findings::Findings;
use super::holder::{Holder, Home, holders};
use super::way_in::WayIn;
use crate::bundle::{Bind, Failure};
use crate::context::Infra;
use crate::layout;
use crate::machine::sockets::{self, Listening};
use crate::render::is_preconfigured;
use crate::traefik::entrypoint::{Entrypoint, Listener};

/// The services of ours: what they have is not taken. Of the second one there is a moment in each
/// change from one Traefik to another.
const OURS: [&str; 4] = [
    layout::PROXY_SERVICE,
    layout::STANDBY_SERVICE,
    layout::ROUTER_SERVICE,
    layout::ROUTER_SOCKET,
];

/// What of ours runs already.
#[derive(Debug)]
pub(super) struct Running {
    /// What the Traefik that runs listens on.
    pub(super) binds: BTreeSet<Bind>,
    /// Whether Traefik runs.
    pub(super) proxy: bool,
    /// Whether the route server's socket listens.
    pub(super) router: bool,
    /// Who Traefik runs as; none before the first push.
    pub(super) user: Option<u32>,
}

/// Takes out of the entry points what somebody else has, and says who that is.
pub(super) fn examine(
    infra: &Infra,
    mut binds: BTreeSet<Bind>,
    running: &Running,
    findings: &mut Findings,
) -> Result<BTreeSet<Bind>, Failure> {
    let mut taken = Vec::new();
    for wanted in wanted(&binds, running) {
        match try_listen(wanted) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken.push(wanted),
            Err(error) => findings.problem(
                format!("{wanted} cannot be listened on: {error}"),
                "see what keeps root from listening there, as a security module",
            ),
        }
    }
    if taken.is_empty() {
        return Ok(binds);
    }
    let listening = sockets::listening()?;
    let blockers: Vec<(Wanted, Vec<Listening>)> = taken
        .into_iter()
        .map(|wanted| (wanted, blockers(wanted, &listening)))
        // What our user has is our Traefik's, even while systemd does not call it active.
        .filter(|(_, sockets)| {
            let is_ours = |socket: &Listening| Some(socket.user) == running.user;
            !sockets.iter().any(is_ours)
        })
        .collect();
    let inodes = blockers.iter().flat_map(|(_, sockets)| sockets);
    let holders = holders(&inodes.map(|socket| socket.inode).collect());
    let way_in = WayIn::find()?;
    for (wanted, sockets) in blockers {
        let Some(bind) = judge(infra, wanted, &sockets, &holders, &way_in, findings) else {
            continue;
        };
        binds.remove(&bind);
    }
    Ok(binds)
}

/// One address that we have to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// An entry point of Traefik.
    Entrypoint(Bind),
    /// The route server's address.
    RouteServer,
    /// Where Traefik answers the machine itself.
    Ping,
}

impl Wanted {
    fn is_udp(self) -> bool {
        match self {
            Self::Entrypoint(bind) => bind.entrypoint.listener.is_udp(),
            Self::RouteServer | Self::Ping => false,
        }
    }

    fn at(self) -> SocketAddr {
        match self {
            Self::Entrypoint(bind) => bind.socket(),
            Self::RouteServer => layout::ROUTE_SERVER,
            Self::Ping => layout::TRAEFIK_PING,
        }
    }

    fn is_web(self) -> bool {
        match self {
            Self::Entrypoint(bind) => {
                matches!(
                    bind.entrypoint.listener,
                    Listener::Web | Listener::WebSecure
                )
            }
            Self::RouteServer | Self::Ping => false,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entrypoint(bind) => bind.fmt(f),
            Self::RouteServer => write!(f, "{}, the route server's address,", self.at()),
            Self::Ping => write!(f, "{}, Traefik's address for checks,", self.at()),
        }
    }
}

/// What does not listen yet.
fn wanted(binds: &BTreeSet<Bind>, running: &Running) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = binds
        .difference(&running.binds)
        .copied()
        .map(Wanted::Entrypoint)
        .collect();
    if !running.router {
        wanted.push(Wanted::RouteServer);
    }
    if !running.proxy {
        wanted.push(Wanted::Ping);
    }
    wanted
}

fn try_listen(wanted: Wanted) -> io::Result<()> {
    if wanted.is_udp() {
        UdpSocket::bind(wanted.at()).map(drop)
    } else {
        TcpListener::bind(wanted.at()).map(drop)
    }
}

/// The sockets that are in the way; the one at the very address first.
fn blockers(wanted: Wanted, listening: &[Listening]) -> Vec<Listening> {
    let mut blockers: Vec<Listening> = listening
        .iter()
        .filter(|socket| socket.blocks(wanted.is_udp(), wanted.at()))
        .copied()
        .collect();
    blockers.sort_by_key(|socket| (socket.address != wanted.at(), *socket));
    blockers
}

/// Says what an address in use means; answers the entry point that is left out for it.
fn judge(
    infra: &Infra,
    wanted: Wanted,
    sockets: &[Listening],
    holders: &BTreeMap<u64, Holder>,
    way_in: &WayIn,
    findings: &mut Findings,
) -> Option<Bind> {
    let holder = sockets.iter().find_map(|socket| holders.get(&socket.inode));
    if holder.is_some_and(is_ours) {
        return None;
    }
    let who = match holder {
        Some(holder) if wanted.is_web() && holder.is_proxy() => format!("another proxy, {holder},"),
        Some(holder) => holder.to_string(),
        // The kernel's own, as WireGuard's.
        None => "something that is no process".to_owned(),
    };
    let place = sockets.first().map_or(wanted.at(), |socket| socket.address);
    if let Wanted::Entrypoint(bind) = wanted
        && is_preconfigured(infra, bind.entrypoint.listener)
    {
        findings.warning(format!("{bind} is left out: {who} listens on {place}"));
        return Some(bind);
    }
    let tcp_port = (!wanted.is_udp()).then_some(place.port());
    let is_way_in = way_in.is_through(tcp_port, holder);
    let through = if is_way_in {
        ", and you are in this machine through it"
    } else {
        ""
    };
    let remedy = if is_way_in {
        stay_in(wanted)
    } else {
        hint(wanted, holder)
    };
    findings.problem(
        format!("{wanted} is in use: {who} listens on {place}{through}"),
        remedy,
    );
    None
}

fn is_ours(holder: &Holder) -> bool {
    match &holder.home {
        Home::Service(unit) => OURS.contains(&unit.as_str()),
        Home::Container(_) | Home::Nowhere => false,
    }
}

/// What to do about a port by which whoever pushes came in: nothing that ends what listens there.
fn stay_in(wanted: Wanted) -> String {
    let port = wanted.at().port();
    match wanted {
        Wanted::Entrypoint(bind) if !wanted.is_web() => leave_out(bind),
        Wanted::Entrypoint(_) => format!(
            "Traefik needs ports 80 and 443 for itself: have people log in at another port than \
             {port}, and log in there before you push, or give Traefik another address by \
             `rdc context set-infra MACHINE --bind-ipv4`"
        ),
        Wanted::RouteServer | Wanted::Ping => {
            format!("nothing else can have port {port}: have people log in at another one")
        }
    }
}

fn leave_out(bind: Bind) -> String {
    let Entrypoint { listener, .. } = bind.entrypoint;
    let protocol = if listener.is_udp() { "udp" } else { "tcp" };
    let port = listener.port();
    format!("leave port {port} out of `rdc context set-infra MACHINE --{protocol}-ports`")
}

fn hint(wanted: Wanted, holder: Option<&Holder>) -> String {
    let port = wanted.at().port();
    let remedy = match holder {
        Some(holder) => holder.remedy(port),
        None => format!("`ss -lntup 'sport = :{port}'` on the machine shows what is known of it"),
    };
    match wanted {
        Wanted::Entrypoint(_) if wanted.is_web() => {
            format!("Traefik needs ports 80 and 443 for itself: {remedy}")
        }
        Wanted::Entrypoint(bind) => format!("{remedy}; or {}", leave_out(bind)),
        Wanted::RouteServer | Wanted::Ping => {
            format!("nothing else can have port {port}: {remedy}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(name: &str, address: &str) -> Bind {
        Bind {
            entrypoint: name.parse().expect("an entry point"),
            address: address.parse().expect("an address"),
        }
    }

    fn socket(address: &str, inode: u64) -> Listening {
        Listening {
            is_udp: false,
            address: address.parse().expect("an address"),
            user: 0,
            inode,
        }
    }

    fn infra() -> Infra {
        Infra {
            tcp_ports: "2525".parse().expect("ports"),
            ..Infra::default()
        }
    }

    fn held_by(name: &str, home: Home) -> BTreeMap<u64, Holder> {
        let holder = Holder {
            process: 812,
            name: name.to_owned(),
            home,
        };
        BTreeMap::from([(7, holder)])
    }

    #[test]
    fn a_port_in_use_is_left_out_or_a_problem_and_its_holder_is_named() {
        let service = |unit: &str| Home::Service(unit.to_owned());
        let entrypoint = |name| Wanted::Entrypoint(bind(name, "10.0.0.5"));
        for (wanted, place, holders, left_out, expected) in [
            (
                entrypoint("tcp-3306"),
                "0.0.0.0:3306",
                held_by("mariadbd", service("mariadb.service")),
                true,
                "tcp-3306 (10.0.0.5:3306) is left out: mariadbd (process 812, mariadb.service) \
                 listens on 0.0.0.0:3306",
            ),
            (
                entrypoint("tcp-2525"),
                "10.0.0.5:2525",
                held_by("master", service("postfix.service")),
                false,
                "tcp-2525 (10.0.0.5:2525) is in use: master (process 812, postfix.service) \
                 listens on 10.0.0.5:2525",
            ),
            (
                entrypoint("websecure"),
                "[::]:443",
                held_by("nginx", service("nginx.service")),
                false,
                "websecure (10.0.0.5:443) is in use: another proxy, nginx (process 812, \
                 nginx.service), listens on [::]:443",
            ),
            (
                Wanted::RouteServer,
                "127.0.0.1:7111",
                BTreeMap::new(),
                false,
                "127.0.0.1:7111, the route server's address, is in use: something that is no \
                 process listens on 127.0.0.1:7111",
            ),
        ] {
            let mut findings = Findings::default();
            let sockets = [socket(place, 7)];
            let way_in = WayIn::default();
            let answer = judge(&infra(), wanted, &sockets, &holders, &way_in, &mut findings);
            assert_eq!(answer.is_some(), left_out, "{wanted}");
            let said = match findings.warnings_or_refusal() {
                Ok(warnings) => warnings.join("\n"),
                Err(failure) => {
                    assert!(failure.hint.is_some(), "{wanted}");
                    failure.message
                }
            };
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn what_is_ours_is_not_taken() {
        for unit in OURS {
            let mut findings = Findings::default();
            let holders = held_by("traefik", Home::Service(unit.to_owned()));
            let web = Wanted::Entrypoint(bind("web", "10.0.0.5"));
            let sockets = [socket("10.0.0.5:80", 7)];
            let way_in = WayIn::default();
            let left_out = judge(&infra(), web, &sockets, &holders, &way_in, &mut findings);
            assert_eq!(left_out, None, "{unit}");
            let warnings = findings.warnings_or_refusal().expect("no refusal");
            assert_eq!(warnings, Vec::<String>::new(), "{unit}");
        }
    }

    #[test]
    fn only_what_does_not_listen_yet_is_tried() {
        let web = bind("web", "10.0.0.5");
        let mail = bind("tcp-2525", "10.0.0.5");
        let binds = BTreeSet::from([web, mail]);
        for (running, expected) in [
            (
                Running {
                    binds: BTreeSet::from([web]),
                    proxy: true,
                    router: true,
                    user: None,
                },
                vec![Wanted::Entrypoint(mail)],
            ),
            (
                Running {
                    binds: BTreeSet::new(),
                    proxy: false,
                    router: false,
                    user: None,
                },
                vec![
                    Wanted::Entrypoint(web),
                    Wanted::Entrypoint(mail),
                    Wanted::RouteServer,
                    Wanted::Ping,
                ],
            ),
        ] {
            assert_eq!(wanted(&binds, &running), expected);
        }
    }

    #[test]
    fn the_socket_at_the_very_address_is_named_first() {
        let web = Wanted::Entrypoint(bind("web", "10.0.0.5"));
        let listening = [
            socket("0.0.0.0:80", 1),
            socket("10.0.0.5:80", 2),
            socket("10.0.0.6:80", 3),
        ];
        let inodes: Vec<u64> = blockers(web, &listening)
            .iter()
            .map(|socket| socket.inode)
            .collect();
        assert_eq!(inodes, [2, 1]);
    }
}
