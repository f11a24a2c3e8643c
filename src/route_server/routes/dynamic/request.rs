//! What a container asks for: which service of which repository it is, where it listens, and the
//! ports in its labels.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{
    Container, LABELS, NetworkId, PortOwner, Problem, Reach, RouteSettings, SERVICE_NAME, Target,
    is_at_home, labels,
};

/// The most ports that one label may list. Many more than any range has, and few enough to be
/// counted at each change.
const MOST_PORTS: usize = 256;

/// The longest name of a service, in bytes.
const LONGEST_SERVICE: usize = 128;

/// A service that asks for external ports.
pub(super) struct Request<'c> {
    pub(super) network_id: NetworkId,
    service: &'c str,
    target: Target<'c>,
    /// Where it listens. A container that does not run may have no address, and keeps its ports.
    pub(super) address: Option<IpAddr>,
}

impl<'c> Request<'c> {
    /// None if the container asks for none.
    pub(super) fn of(
        container: &'c Container,
        socket: Option<NetworkId>,
        settings: &'c RouteSettings,
    ) -> Result<Option<Self>, Problem> {
        let given = |label: &str| container.labels.get(label).map(String::as_str);
        let asked = LABELS
            .iter()
            .find(|(_, label)| given(label).is_some_and(|list| !list.trim().is_empty()));
        let Some((_, asked)) = asked else {
            return Ok(None);
        };
        // A task beside a service has the service's labels, and none of its ports.
        if container.is_one_off() {
            return Ok(None);
        }
        if labels::container_options(&container.labels)?.enable == Some(false) {
            return Ok(None);
        }
        let missing = |label: &str| {
            Problem::of_label(*asked, format!("the container has no label `{label}`"))
                .hint("start the container with `renet compose`, which sets it")
        };
        is_at_home(container, socket)?;
        let network_id = socket.ok_or_else(|| {
            Problem::of_label(
                *asked,
                "external ports are handed out to repositories, and this daemon is of none",
            )
            .hint("start the container with `renet compose`, or name an entry point by label")
        })?;
        let service = given(SERVICE_NAME).ok_or_else(|| missing(SERVICE_NAME))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=LONGEST_SERVICE).contains(&service.len()) || !service.bytes().all(is_plain) {
            return Err(
                Problem::of_label(SERVICE_NAME, "it cannot be a part of a router's name")
                    .hint("use letters, digits, `-`, `_` and `.`"),
            );
        }
        let reach = Reach::of(Some(network_id), settings);
        let target = Target { container, reach };
        Ok(Some(Self {
            network_id,
            service,
            target,
            address: match target.is_ready() {
                true => Some(target.address()?),
                false => None,
            },
        }))
    }

    /// The ports that a label lists, each once. Empty items are how compose writes a variable that
    /// is empty.
    pub(super) fn listed_ports(&self, label: &str) -> Result<BTreeSet<u16>, Problem> {
        let list = self.target.container.labels.get(label);
        let items = list.map_or("", String::as_str).split(',').map(str::trim);
        let items = items.filter(|item| !item.is_empty());
        let ports = items.map(|item| self.target.port(label, item));
        let ports = ports.collect::<Result<BTreeSet<u16>, Problem>>()?;
        if ports.len() > MOST_PORTS {
            let count = ports.len();
            return Err(Problem::of_label(
                label,
                format!("it lists {count} ports, and may list {MOST_PORTS}"),
            ));
        }
        Ok(ports)
    }

    /// Whose the external port of one of its ports is.
    pub(super) fn owner(&self, target: u16) -> PortOwner {
        PortOwner {
            network_id: self.network_id,
            service: self.service.to_owned(),
            target,
        }
    }
}
