//! A repository's network: its id, its /26 on loopback, and the address of each service in it.
//!
//! Source: the conventions of rediacc, where ids start at 2816 and step by 64, and an id *is* the
//! lower 24 bits of the /26's first address.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a repository's network: it names the daemon's socket and fixes the repository's /26.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct NetworkId(u32);

impl NetworkId {
    /// The first id that is handed out.
    pub const FIRST: u32 = 2816;
    /// The distance between two ids: the number of addresses in a /26.
    pub const STEP: u32 = 64;
    /// The last id: its /26 is the last one in 127.0.0.0/8.
    pub const LAST: u32 = 0xFF_FF_C0;

    /// The first address of the repository's /26.
    pub fn base(self) -> Ipv4Addr {
        Ipv4Addr::from(0x7F00_0000 | self.0)
    }

    /// How many services a repository can have: the /26 without the offsets 0, 1 and 63.
    pub const SLOTS: u8 = 61;

    /// The address of the service in a slot, from 0 up to `SLOTS`; none beyond.
    pub fn address(self, slot: u8) -> Option<Ipv4Addr> {
        let offset = 2 + u32::from(slot);
        (slot < Self::SLOTS).then(|| Ipv4Addr::from(u32::from(self.base()) + offset))
    }

    /// The name of the daemon's socket: `docker-<network id>.sock`.
    pub fn socket_name(self) -> String {
        format!("docker-{self}.sock")
    }

    /// The network in the name of a daemon's socket; none if it is another name.
    pub fn of_socket_name(name: &str) -> Option<Self> {
        let id = name.strip_prefix("docker-")?.strip_suffix(".sock")?;
        id.parse().ok()
    }

    /// Whether an address lies in the repository's /26.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & !(Self::STEP - 1) == u32::from(self.base())
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u32> for NetworkId {
    type Error = InvalidNetworkId;

    fn try_from(id: u32) -> Result<Self, InvalidNetworkId> {
        let in_range = (Self::FIRST..=Self::LAST).contains(&id);
        if in_range && id.is_multiple_of(Self::STEP) {
            Ok(Self(id))
        } else {
            Err(InvalidNetworkId(id.to_string()))
        }
    }
}

impl From<NetworkId> for u32 {
    fn from(id: NetworkId) -> u32 {
        id.0
    }
}

impl FromStr for NetworkId {
    type Err = InvalidNetworkId;

    fn from_str(text: &str) -> Result<Self, InvalidNetworkId> {
        let id: u32 = text
            .parse()
            .map_err(|_| InvalidNetworkId(text.to_owned()))?;
        // `+2816` and `02816` parse as numbers, but would be a second spelling of one socket.
        if id.to_string() != text {
            return Err(InvalidNetworkId(text.to_owned()));
        }
        Self::try_from(id)
    }
}

/// What was given is not a network id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network id: ids are 2816, 2880, 2944 … up to 16777152, in steps of 64")]
pub struct InvalidNetworkId(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_fixes_the_repositorys_subnet() {
        for (id, base) in [
            (2816, "127.0.11.0"),
            (6336, "127.0.24.192"),
            (NetworkId::LAST, "127.255.255.192"),
        ] {
            assert_eq!(
                NetworkId::try_from(id).map(|id| id.base().to_string()),
                Ok(base.to_owned())
            );
        }
    }

    #[test]
    fn only_canonical_multiples_of_64_from_2816_are_ids() {
        for text in [
            "2815", "2817", "2752", "0", "16777216", "", "+2816", "02816", " 2816", "x", "-1",
        ] {
            assert_eq!(
                text.parse::<NetworkId>(),
                Err(InvalidNetworkId(text.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn each_slot_has_an_address_and_the_last_one_is_60() {
        for (id, slot, address) in [
            (2816, 0, Some("127.0.11.2")),
            (2816, 60, Some("127.0.11.62")),
            (2816, 61, None),
            (2816, u8::MAX, None),
            (6336, 0, Some("127.0.24.194")),
        ] {
            let found = NetworkId::try_from(id).map(|id| id.address(slot));
            let found = found.expect("a network id").map(|it| it.to_string());
            assert_eq!(found.as_deref(), address, "{id} {slot}");
        }
    }

    #[test]
    fn a_socket_is_named_after_its_network() {
        let id = NetworkId::try_from(2816).expect("a valid id");
        assert_eq!(id.socket_name(), "docker-2816.sock");
        for (name, expected) in [
            ("docker-2816.sock", Some(id)),
            ("docker-17.sock", None),
            ("docker-02816.sock", None),
            ("docker.sock", None),
            ("engine-2816", None),
        ] {
            assert_eq!(NetworkId::of_socket_name(name), expected, "{name}");
        }
    }

    #[test]
    fn a_subnet_ends_after_64_addresses() {
        let id = NetworkId::try_from(2816).expect("a valid id");
        for (address, inside) in [
            ([127, 0, 11, 0], true),
            ([127, 0, 11, 63], true),
            ([127, 0, 11, 64], false),
            ([127, 0, 10, 255], false),
            ([10, 0, 11, 2], false),
        ] {
            assert_eq!(id.contains(address.into()), inside, "{address:?}");
        }
    }
}
