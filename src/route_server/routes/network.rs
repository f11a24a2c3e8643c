//! On which of its networks a container is reached: the one that `traefik.docker.network` names, as
//! Traefik's own provider has it.

use super::{Container, Problem};
use crate::route_server::container::Address;
use crate::traefik::labels;

const NETWORK: &str = "traefik.docker.network";
const PROJECT: &str = "com.docker.compose.project";

/// Where a container is reached.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) address: Address,
    /// What is doubtful about that.
    pub(super) doubt: Option<Problem>,
}

/// The address of the named network. Where there is none of the name, Traefik takes any, and says
/// so; here it is the one that compose made of the name, or the first by name.
pub(super) fn choose(container: &Container) -> Choice {
    let known = |doubt: Option<Problem>| Choice {
        address: container.address,
        doubt,
    };
    let Address::Own(address) = container.address else {
        return known(None);
    };
    let networks = &container.networks;
    let names: Vec<&str> = networks.keys().map(String::as_str).collect();
    // A label that cannot be read is told of where labels are read.
    let options = labels::container_options(&container.labels).unwrap_or_default();
    let Some(wanted) = options.network() else {
        // Behind another container, that one's label has chosen.
        let is_a_guess = names.len() > 1 && container.network_of.is_none();
        return known(is_a_guess.then(|| {
            let taken = networks.iter().find(|(_, other)| **other == address);
            Problem::of_label(
                NETWORK,
                format!(
                    "it is on {} networks, and no label says on which it is reached: `{}` is taken",
                    names.len(),
                    taken.map_or("the first", |(name, _)| name)
                ),
            )
            .hint(format!(
                "add the label `{NETWORK}=<network>` with one of: {}",
                names.join(", ")
            ))
            .warning()
        }));
    };
    if let Some(address) = networks.get(wanted) {
        return Choice {
            address: Address::Own(*address),
            doubt: None,
        };
    }
    if names.is_empty() {
        // Behind another container whose label has chosen, or from before networks were kept.
        return known(None);
    }
    let project = container.labels.get(PROJECT);
    let prefixed = project.map(|project| format!("{project}_{wanted}"));
    let prefixed = prefixed.and_then(|name| networks.get_key_value(&name));
    let ending = format!("_{wanted}");
    let meant = prefixed.map(|(name, _)| name.as_str());
    let nearest = meant
        .or_else(|| names.iter().copied().find(|name| name.ends_with(&ending)))
        .or_else(|| labels::nearest(wanted, &names));
    let taken = prefixed.map_or(address, |(_, address)| *address);
    let problem = Problem::of_label(
        NETWORK,
        format!("it is not on a network `{wanted}`, and is reached at {taken}"),
    );
    Choice {
        address: Address::Own(taken),
        doubt: Some(
            match nearest {
                Some(nearest) => problem.hint(format!(
                    "write the network's whole name: did you mean `{nearest}`?"
                )),
                None => problem.hint(format!("its networks are: {}", names.join(", "))),
            }
            .warning(),
        ),
    }
}
