//! Where a repository may have Traefik connect to: its own /26, its own containers, public
//! addresses, and what the operator granted. Everything else is the machine's, other repositories'
//! or the private network's, and so is whatever leads there by another spelling.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

use super::{Problem, RouteSettings};
use crate::layout;
use crate::network::NetworkId;
use crate::ownership::{Grant, Repository, RepositoryGrants};

/// Offsets in a repository's /26 that no service has.
const RESERVED_OFFSETS: [u32; 3] = [0, 1, 63];

/// Clouds' metadata services that are not link-local: Alibaba's, and Azure's.
const METADATA: [Ipv4Addr; 2] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// Networks that are not the internet (RFC 6890), with what each is.
const NOT_PUBLIC: [(&str, Place); 17] = [
    ("0.0.0.0/8", Place::Machine),
    ("10.0.0.0/8", Place::Private),
    ("100.64.0.0/10", Place::Private),
    ("169.254.0.0/16", Place::LinkLocal),
    ("172.16.0.0/12", Place::Private),
    ("192.0.0.0/24", Place::Nobody),
    ("192.168.0.0/16", Place::Private),
    ("198.18.0.0/15", Place::Private),
    ("224.0.0.0/4", Place::Nobody),
    ("240.0.0.0/4", Place::Nobody),
    // `::`, `::1`, and every form that wraps an IPv4 address, NAT64's included; then Teredo's and
    // 6to4's. What is wrapped may be on loopback.
    ("::/8", Place::Wrapped),
    ("2001::/32", Place::Wrapped),
    ("2002::/16", Place::Wrapped),
    ("fc00::/7", Place::Private),
    ("fe80::/10", Place::LinkLocal),
    ("fec0::/10", Place::Private),
    ("ff00::/8", Place::Nobody),
];

/// What an address is that is not on the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Machine,
    Private,
    LinkLocal,
    Metadata,
    Nobody,
    Wrapped,
}

impl Place {
    /// Whether a route there can make sense.
    fn is_grantable(self) -> bool {
        match self {
            Self::Machine | Self::Private | Self::LinkLocal | Self::Metadata => true,
            Self::Nobody | Self::Wrapped => false,
        }
    }

    /// The end of "1.2.3.4 …".
    fn reason(self) -> &'static str {
        match self {
            Self::Machine => "is this machine itself",
            Self::Private => "is on a private network",
            Self::LinkLocal => "is link-local, where clouds keep a machine's secrets",
            Self::Metadata => "is where a cloud keeps a machine's secrets",
            Self::Nobody => "is not the address of one machine",
            Self::Wrapped => "is this machine itself, or wraps an IPv4 address",
        }
    }
}

/// Why Traefik may not be sent somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// In one sentence, or as the end of "`1.2.3.4` …".
    reason: String,
    /// The command that would grant it, where a grant can.
    grant: Option<String>,
}

impl Refused {
    /// The same as the problem of a label, with what to write instead.
    pub(super) fn problem(self, label: impl Into<String>, hint: &str) -> Problem {
        let Self { reason, grant } = self;
        Problem::of_label(label, reason).hint(match grant {
            None => hint.to_owned(),
            Some(grant) => format!("{hint}; or {grant}"),
        })
    }
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self {
            reason,
            grant: None,
        }
    }
}

/// Where Traefik may be sent for one repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach<'s> {
    repository: Repository,
    settings: &'s RouteSettings,
    /// The addresses of the repository's containers on networks of their own.
    own: Option<&'s BTreeSet<IpAddr>>,
}

impl<'s> Reach<'s> {
    pub(super) fn of(network_id: Option<NetworkId>, settings: &'s RouteSettings) -> Self {
        Self {
            repository: network_id.into(),
            settings,
            own: None,
        }
    }

    /// The same with the repository's containers on networks of their own.
    pub(super) fn with(self, own: &'s BTreeSet<IpAddr>) -> Self {
        Self {
            own: Some(own),
            ..self
        }
    }

    /// Whether Traefik may be sent anywhere: the operator trusts the repository.
    pub(super) fn is_unlimited(self) -> bool {
        self.settings
            .trusted_repositories
            .contains(&self.repository)
    }

    /// The network that the repository's services are confined to, unless the operator trusts it.
    pub(super) fn own_network(self) -> Option<NetworkId> {
        self.repository.id().filter(|_| !self.is_unlimited())
    }

    /// Whether Traefik may connect there; if not, why not, as the end of "`1.2.3.4` …".
    pub(super) fn socket(self, address: SocketAddr) -> Result<(), Refused> {
        self.address(address.ip())?;
        self.port(address.port())
    }

    /// Whether Traefik may connect to the address, whatever the port.
    pub(super) fn address(self, address: IpAddr) -> Result<(), Refused> {
        if self.is_unlimited() || self.is_granted(address) {
            return Ok(());
        }
        if let Some(own) = self.own
            && own.contains(&address)
        {
            return self.containers_address(address);
        }
        if let IpAddr::V4(address) = address
            && address.is_loopback()
        {
            return self.loopback(address);
        }
        let place = self.place(address);
        place.map_or(Ok(()), |place| {
            let reason = place.reason();
            Err(Refused {
                reason: format!("{address} {reason}"),
                grant: place.is_grantable().then(|| self.grant_of(address)),
            })
        })
    }

    /// Whether Traefik may connect to an address that the engine says is a container's. Who runs a
    /// daemon chooses the subnets of its networks, so that the engine's word is enough for private
    /// addresses only.
    pub(super) fn containers_address(self, address: IpAddr) -> Result<(), Refused> {
        match self.place(address) {
            Some(Place::Private) => Ok(()),
            _ => Self { own: None, ..self }.address(address),
        }
    }

    /// What an address is, unless it is another machine's on the internet.
    fn place(self, address: IpAddr) -> Option<Place> {
        if self.settings.machine_addresses.contains(&address) {
            return Some(Place::Machine);
        }
        not_public(address)
    }

    /// Whether Traefik may connect to the port. Those of the route server and of Traefik's ping are
    /// refused wherever they are: they would be everywhere if they listened on a wildcard.
    pub(super) fn port(self, port: u16) -> Result<(), Refused> {
        let own = [layout::ROUTE_SERVER.port(), layout::TRAEFIK_PING.port()];
        if !self.is_unlimited() && own.contains(&port) {
            return Err(format!("port {port} is the machine's own").into());
        }
        Ok(())
    }

    fn is_granted(self, address: IpAddr) -> bool {
        let grants = self.settings.grants.get(&self.repository);
        grants.into_iter().flatten().any(|grant| match grant {
            Grant::Network(network) => network.contains(&address),
            _ => false,
        })
    }

    /// The command that would grant an address.
    fn grant_of(self, address: IpAddr) -> String {
        let grant = Grant::Network(IpNet::from(address));
        RepositoryGrants::with(&self.settings.grants, self.repository, grant).command()
    }

    fn loopback(self, address: Ipv4Addr) -> Result<(), Refused> {
        let offset = u32::from(address) % NetworkId::STEP;
        let reason = match self.repository {
            Repository::Id(id) if !id.contains(address) => format!(
                "{address} is on loopback, outside the repository's {}/26",
                id.base()
            ),
            Repository::Id(_) if RESERVED_OFFSETS.contains(&offset) => format!(
                "{address} is reserved: services have the addresses 2 to 62 of a repository's /26"
            ),
            // Loopback addresses without their first byte are numbered as network ids are.
            Repository::Host if u32::from(address) & 0x00FF_FFFF >= NetworkId::FIRST => {
                format!("{address} belongs to a repository")
            }
            Repository::Id(_) | Repository::Host => return Ok(()),
        };
        Err(reason.into())
    }
}

fn not_public(address: IpAddr) -> Option<Place> {
    if METADATA.iter().any(|metadata| address == *metadata) {
        return Some(Place::Metadata);
    }
    let is_within = |network: &str| {
        let network: Result<IpNet, _> = network.parse();
        network.is_ok_and(|network| network.contains(&address))
    };
    let found = NOT_PUBLIC.iter().find(|(network, _)| is_within(network));
    found.map(|(_, place)| *place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_reaches_its_own_the_internet_and_what_it_was_granted() {
        let id = |id: u32| NetworkId::try_from(id).ok();
        let mut settings = RouteSettings::default();
        let granted = "2816=10.0.0.0/24,100.100.100.200/32";
        let RepositoryGrants { repository, grants } = granted.parse().expect("grants");
        settings.grants.insert(repository, grants);
        settings
            .machine_addresses
            .insert("198.51.100.7".parse().expect("an address"));
        let own = BTreeSet::from(["172.18.0.5".parse().expect("an address")]);
        for (address, granted, others) in [
            ("127.0.11.2", true, false),
            ("127.0.11.1", false, false),
            ("127.0.11.66", false, true),
            ("127.0.0.1", false, false),
            ("203.0.113.9", true, true),
            ("2606:4700::1111", true, true),
            ("198.51.100.7", false, false),
            ("10.0.0.5", true, false),
            ("10.0.1.5", false, false),
            ("172.18.0.5", true, true),
            ("172.18.0.6", false, false),
            ("192.168.1.1", false, false),
            ("169.254.169.254", false, false),
            ("100.100.100.200", true, false),
            ("168.63.129.16", false, false),
            ("fd00:ec2::254", false, false),
            ("fe80::1", false, false),
            ("::1", false, false),
            ("::ffff:127.0.0.1", false, false),
            ("64:ff9b::7f00:1", false, false),
            ("2002:7f00:1::", false, false),
            ("0.0.0.0", false, false),
            ("224.0.0.1", false, false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            let reaches = |repository| {
                let reach = Reach::of(repository, &settings).with(&own);
                reach.address(address).is_ok()
            };
            assert_eq!(reaches(id(2816)), granted, "{address}");
            assert_eq!(reaches(id(2880)), others, "{address}");
        }
    }

    #[test]
    fn an_engine_cannot_make_an_address_its_containers() {
        let settings = RouteSettings {
            machine_addresses: ["172.17.0.1".parse().expect("an address")].into(),
            ..RouteSettings::default()
        };
        let reach = Reach::of(NetworkId::try_from(2816).ok(), &settings);
        for (address, is_allowed) in [
            ("172.18.0.5", true),
            ("10.5.0.2", true),
            ("fd00::2", true),
            ("172.17.0.1", false),
            ("169.254.169.254", false),
            ("100.100.100.200", false),
            ("127.0.0.1", false),
            ("127.0.11.66", false),
            ("::ffff:127.0.0.1", false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(
                reach.containers_address(address).is_ok(),
                is_allowed,
                "{address}"
            );
        }
    }
}
