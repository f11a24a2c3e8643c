//! The machine under siege: the real Traefik, the route server, the victim's repository and its
//! servers.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::backends::{self, Whose};
use super::flows;
use crate::real_traefik::RealTraefik;
use crate::route_server::{Machine, RouteServer};
use crate::simulated_daemon::{SimulatedContainer, SimulatedDaemon};

pub(super) const VICTIM: u32 = 2880;
pub(super) const ATTACKER: u32 = 2816;
/// A repository whose daemon itself is hostile.
pub(super) const ROGUE: u32 = 2944;
pub(super) const SHOP: &str = "shop.victim.test";
pub(super) const AUTO: &str = "auto-2880.example.test";
/// A name behind which TCP is spoken, on the entry point of HTTPS.
pub(super) const MAIL: &str = "mail.victim.test";
/// A name that takes one request a minute.
pub(super) const LIMITED: &str = "limited.victim.test";
/// What the victim keeps from everybody.
pub(super) const SECRET: &str = "apr1-s3cret-of-the-victim";
const TOKEN: &str = "siege-token";
/// How long a change may take that is not judged any more.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Where pages are: where there are no certificates, Traefik serves them as they are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pages {
    Plain(SocketAddr),
    Secure(SocketAddr),
}

impl Pages {
    pub(super) fn at(self) -> SocketAddr {
        match self {
            Self::Plain(at) | Self::Secure(at) => at,
        }
    }

    fn entrypoint(self) -> &'static str {
        match self {
            Self::Plain(_) => "web",
            Self::Secure(_) => "websecure",
        }
    }
}

/// Where Traefik's entry points are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entrypoints {
    pub(super) pages: Pages,
    pub(super) websecure: SocketAddr,
    pub(super) tcp: SocketAddr,
    /// The one that is handed out on demand.
    pub(super) dynamic: SocketAddr,
    pub(super) udp: SocketAddr,
}

/// The victim's servers and one of the attacker's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Servers {
    pub(super) shop: SocketAddr,
    pub(super) tcp: SocketAddr,
    pub(super) udp: SocketAddr,
    pub(super) attackers: SocketAddr,
}

/// The machine.
pub(super) struct Site {
    pub(super) machine: Machine,
    pub(super) traefik: RealTraefik,
    route_server: RouteServer,
    pub(super) entrypoints: Entrypoints,
    pub(super) servers: Servers,
    victim: SimulatedDaemon,
    deployments: i64,
}

impl Site {
    /// Up, with the victim served: what it has, it has before anybody comes.
    pub(super) async fn up() -> Self {
        let machine = Machine::new();
        let entrypoints = Entrypoints::free();
        let pages = entrypoints.pages;
        let shop = backends::http("127.0.11.66", Whose::Victims, String::new()).await;
        let servers = Servers {
            shop,
            tcp: backends::tcp("127.0.11.67", Whose::Victims).await,
            udp: backends::udp("127.0.11.68", Whose::Victims).await,
            attackers: backends::http("127.0.11.2", Whose::Attackers, format!("http://{shop}/"))
                .await,
        };
        let victim = SimulatedDaemon::start(
            &machine.socket(VICTIM),
            &victims_containers(&servers, pages, 0),
        );
        let token = machine.state_dir().join("token");
        std::fs::write(&token, TOKEN).expect("a writable file");
        let mut renet = machine.renet();
        renet
            .args(["--entrypoints", "web,websecure,tcp-5432,tcp-10000,udp-53"])
            .args(["--dynamic-ports", "10000-10000"])
            .arg("--token-file")
            .arg(&token);
        let route_server = RouteServer::spawn(renet).await;
        let traefik = RealTraefik::start(&entrypoints.arguments(route_server.address()));
        let site = Self {
            machine,
            traefik,
            route_server,
            entrypoints,
            servers,
            victim,
            deployments: 0,
        };
        site.is_live(&host_of(0)).await;
        site
    }

    pub(super) fn route_server_address(&self) -> SocketAddr {
        self.route_server.address().parse().expect("an address")
    }

    pub(super) fn socket(&self, network_id: u32) -> PathBuf {
        self.machine.socket(network_id)
    }

    /// Deploys all of the victim's containers anew, with another name among its own, and answers how
    /// long it took until that was served.
    pub(super) async fn redeploy(&mut self) -> Duration {
        self.deployments += 1;
        let begun = Instant::now();
        self.victim.deploy(&victims_containers(
            &self.servers,
            self.entrypoints.pages,
            self.deployments,
        ));
        self.is_live(&host_of(self.deployments)).await;
        begun.elapsed()
    }

    /// What the attacker has at this moment: how many routers, and why not more.
    pub(super) async fn of_the_attacker(&self) -> (usize, BTreeMap<String, usize>) {
        let routes = self.route_server.get_json("/routes.json").await;
        let is_its = |one: &&Value| one["network_id"] == ATTACKER;
        let protocols = ["http", "tcp", "udp"].map(|protocol| &routes[protocol]["routers"]);
        let routers = protocols.iter().filter_map(|routers| routers.as_object());
        let count = routers
            .flat_map(serde_json::Map::values)
            .filter(is_its)
            .count();
        let mut reasons = BTreeMap::new();
        let rejections = routes["rejections"].as_array().into_iter().flatten();
        for rejection in rejections.filter(is_its) {
            let reason = format!("{}: {}", rejection["container"], rejection["reason"]);
            *reasons.entry(reason).or_default() += 1;
        }
        (count, reasons)
    }

    async fn is_live(&self, host: &str) {
        let tls = Arc::new(flows::client_config());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let (pages, host) = (self.entrypoints.pages, host.to_owned());
            let tls = tls.clone();
            let asked = tokio::task::spawn_blocking(move || flows::page(pages, &host, "/", &tls));
            if asked.await.expect("no panic").is_ok() {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        // It counts as a change that took so long.
        eprintln!(
            "{host} is not served; Traefik says {:?}",
            self.traefik.errors()
        );
    }
}

/// The name that only this deployment has.
pub(super) fn host_of(deployment: i64) -> String {
    format!("deployment-{deployment}.victim.test")
}

/// Created later with each deployment: whoever is younger has no less right to its names.
pub(super) fn victims_containers(
    servers: &Servers,
    pages: Pages,
    deployment: i64,
) -> Vec<SimulatedContainer> {
    let tls = matches!(pages, Pages::Secure(_)).to_string();
    let pages = pages.entrypoint();
    let new = format!("traefik.http.routers.new-{deployment}");
    let [new_rule, new_entrypoints, new_service, new_tls] =
        ["rule", "entrypoints", "service", "tls"].map(|part| format!("{new}.{part}"));
    let container = |name: &str, at: SocketAddr, labels: &[(&str, String)]| {
        let one = SimulatedContainer {
            created: 1_700_000_000 + deployment,
            ..SimulatedContainer::new(name)
        };
        let one = one
            .label("rediacc.service_ip", &at.ip().to_string())
            .label("rediacc.service_port", &at.port().to_string());
        labels
            .iter()
            .fold(one, |one, (label, value)| one.label(label, value))
    };
    let on = || ("traefik.enable", "true".to_owned());
    let port = servers.shop.port().to_string();
    let shop = [
        on(),
        ("traefik.http.routers.shop.rule", format!("Host(`{SHOP}`)")),
        (
            "traefik.http.routers.shop.entrypoints",
            "websecure".to_owned(),
        ),
        ("traefik.http.routers.shop.tls", "true".to_owned()),
        ("traefik.http.routers.shop.middlewares", "limit".to_owned()),
        ("traefik.http.routers.shop.service", "shop".to_owned()),
        (
            "traefik.http.middlewares.limit.ratelimit.average",
            "100000".to_owned(),
        ),
        (
            "traefik.http.middlewares.limit.ratelimit.burst",
            "100000".to_owned(),
        ),
        (
            "traefik.http.routers.limited.rule",
            format!("Host(`{LIMITED}`)"),
        ),
        ("traefik.http.routers.limited.entrypoints", pages.to_owned()),
        ("traefik.http.routers.limited.middlewares", "few".to_owned()),
        ("traefik.http.routers.limited.service", "shop".to_owned()),
        (
            "traefik.http.middlewares.few.ratelimit.average",
            "1".to_owned(),
        ),
        (
            "traefik.http.middlewares.few.ratelimit.period",
            "1m".to_owned(),
        ),
        (&*new_rule, format!("Host(`{}`)", host_of(deployment))),
        (&*new_entrypoints, pages.to_owned()),
        (&*new_service, "shop".to_owned()),
        (&*new_tls, tls.clone()),
        ("traefik.http.routers.limited.tls", tls.clone()),
        ("traefik.http.routers.admin.tls", tls),
        (
            "traefik.http.routers.admin.rule",
            "Host(`admin.victim.test`)".to_owned(),
        ),
        ("traefik.http.routers.admin.entrypoints", pages.to_owned()),
        ("traefik.http.routers.admin.middlewares", "login".to_owned()),
        ("traefik.http.routers.admin.service", "shop".to_owned()),
        (
            "traefik.http.middlewares.login.basicauth.users",
            format!("me:${SECRET}"),
        ),
        ("traefik.http.services.shop.loadbalancer.server.port", port),
    ];
    let tcp = [
        on(),
        ("rediacc.tcp_ports", servers.tcp.port().to_string()),
        ("traefik.tcp.routers.db.rule", "HostSNI(`*`)".to_owned()),
        ("traefik.tcp.routers.db.entrypoints", "tcp-5432".to_owned()),
        (
            "traefik.tcp.services.db.loadbalancer.server.port",
            servers.tcp.port().to_string(),
        ),
    ];
    let mail = [
        on(),
        (
            "traefik.tcp.routers.mail.rule",
            format!("HostSNI(`{MAIL}`)"),
        ),
        (
            "traefik.tcp.routers.mail.entrypoints",
            "websecure".to_owned(),
        ),
        ("traefik.tcp.routers.mail.tls", "true".to_owned()),
        (
            "traefik.tcp.services.mail.loadbalancer.server.port",
            servers.tcp.port().to_string(),
        ),
    ];
    let udp = [
        on(),
        ("traefik.udp.routers.dns.entrypoints", "udp-53".to_owned()),
        (
            "traefik.udp.services.dns.loadbalancer.server.port",
            servers.udp.port().to_string(),
        ),
    ];
    vec![
        container("shop", servers.shop, &shop),
        container("auto", servers.shop, &[]),
        container("db", servers.tcp, &tcp),
        container("mail", servers.tcp, &mail),
        container("dns", servers.udp, &udp),
    ]
}

impl Entrypoints {
    /// On ports that nobody has at this moment.
    fn free() -> Self {
        let held: Vec<_> = (0..4)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect();
        let at = |index: usize| held[index].local_addr().expect("an address");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        Self {
            pages: Pages::Plain(at(0)),
            websecure: at(1),
            tcp: at(2),
            dynamic: at(3),
            udp: udp.local_addr().expect("an address"),
        }
    }

    /// As a push configures Traefik.
    fn arguments(&self, route_server: &str) -> Vec<String> {
        let Self {
            pages,
            websecure,
            tcp,
            dynamic,
            udp,
        } = self;
        vec![
            format!("--entryPoints.web.address={}", pages.at()),
            format!("--entryPoints.websecure.address={websecure}"),
            "--entryPoints.websecure.asDefault=true".to_owned(),
            format!("--entryPoints.tcp-5432.address={tcp}"),
            format!("--entryPoints.tcp-10000.address={dynamic}"),
            format!("--entryPoints.udp-53.address={udp}/udp"),
            "--providers.providersThrottleDuration=100ms".to_owned(),
            format!("--providers.http.endpoint=http://{route_server}/routes.yaml"),
            format!("--providers.http.headers.Authorization=Bearer {TOKEN}"),
            "--providers.http.pollInterval=100ms".to_owned(),
            "--providers.http.pollTimeout=10s".to_owned(),
        ]
    }
}
