//! The variable that holds a service's address: `listmonk-app` → `LISTMONK_APP_IP`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::Slots;
use crate::network::NetworkId;

/// The variable of a service.
pub fn variable(service: &str) -> String {
    let letters = service.chars().map(|c| match c {
        '-' | '.' => '_',
        c => c.to_ascii_uppercase(),
    });
    letters.chain("_IP".chars()).collect()
}

/// The variables of all services that have a slot, with their addresses.
pub fn variables(slots: &Slots, id: NetworkId) -> BTreeMap<String, Ipv4Addr> {
    slots
        .iter()
        .filter_map(|(service, slot)| Some((variable(service), id.address(slot)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_the_name_in_upper_case_with_underscores() {
        for (service, expected) in [
            ("api", "API_IP"),
            ("listmonk-app", "LISTMONK_APP_IP"),
            ("a_b", "A_B_IP"),
            ("web.2", "WEB_2_IP"),
            ("localhost", "LOCALHOST_IP"),
        ] {
            assert_eq!(variable(service), expected);
        }
    }

    #[test]
    fn each_service_with_a_slot_has_its_variable() {
        let text = r#"{"services": {"api": {"slot": 0}, "my-db": {"slot": 5}, "new": {}}}"#;
        let slots: Slots = text.parse().expect("slots");
        let id = NetworkId::try_from(2816).expect("a network id");
        let expected = [("API_IP", [127, 0, 11, 2]), ("MY_DB_IP", [127, 0, 11, 7])];
        let expected = expected.map(|(name, address)| (name.to_owned(), address.into()));
        assert_eq!(variables(&slots, id), BTreeMap::from(expected));
    }
}
