//! How many connections there may be, and that descriptors are left for everything else.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// How many connections are open at a time, where there are descriptors enough.
const CONNECTIONS: usize = 256;
/// Which part of the descriptors connections may take at most: the others are for daemons, three
/// each, the state and the log.
const PART_OF_DESCRIPTORS: usize = 4;
/// Which part of the connections is Traefik's.
const TRAEFIKS_PART: usize = 4;
/// Below this, somebody has to know: a hundred daemons need more.
const FEW_DESCRIPTORS: usize = 1024;

/// How many connections may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::route_server) struct Limits {
    /// Of those who have not shown that they are Traefik.
    pub(super) strangers: usize,
    /// Of those who have.
    pub(super) reserved: usize,
}

impl Limits {
    /// What goes with so many descriptors. Somebody is always let in.
    pub(super) fn with_descriptors(descriptors: usize) -> Self {
        let connections = (descriptors / PART_OF_DESCRIPTORS).clamp(2, CONNECTIONS);
        let reserved = (connections / TRAEFIKS_PART).max(1);
        Self {
            strangers: connections - reserved,
            reserved,
        }
    }
}

/// Takes all descriptors that this process may have, and says how many connections go with them.
pub(in crate::route_server) fn claim_descriptors() -> Limits {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `poll` alone is used here, so that numbers above 1024 do no harm. It fails for nobody: the
    // maximum is ours to take.
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
    let limit = if raised.is_ok() { maximum } else { current };
    let descriptors = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    if descriptors < FEW_DESCRIPTORS {
        warn!(
            "this process may have {descriptors} file descriptors only, which daemons may need more \
             of; set LimitNOFILE=65536 in its unit"
        );
    }
    Limits::with_descriptors(descriptors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_most_descriptors_to_others() {
        for (descriptors, strangers, reserved) in [
            (usize::MAX, 192, 64),
            (1024, 192, 64),
            (1000, 188, 62),
            (64, 12, 4),
            (4, 1, 1),
            (0, 1, 1),
        ] {
            let expected = Limits {
                strangers,
                reserved,
            };
            assert_eq!(Limits::with_descriptors(descriptors), expected);
        }
    }
}
