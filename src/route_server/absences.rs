//! The daemons that are not there, and until when they are expected back. A machine that boots
//! mounts its repositories one by one, and an engine may take its time to restart: meanwhile
//! nobody else is given their services' external ports.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::ports::Standing;
use crate::network::NetworkId;

/// How long a daemon is expected back.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Which daemon: none stands for those outside the socket folder, whose containers may belong to
/// any repository.
type Whose = Option<NetworkId>;

/// Who is expected, and until when.
#[derive(Debug, Default)]
pub struct Absences(BTreeMap<Whose, Instant>);

impl Absences {
    /// A daemon is not there.
    pub fn note(&mut self, whose: Whose, now: Instant) {
        self.0.insert(whose, now + PATIENCE);
    }

    /// A daemon is there.
    pub fn clear(&mut self, whose: Whose) {
        self.0.remove(&whose);
    }

    /// Gives up on those that are overdue. Returns whether there were any.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = self.0.len();
        self.0.retain(|_, end| *end > now);
        self.0.len() < before
    }

    /// When the next is overdue.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// What is known of a repository, where these daemons are there and have never answered.
    pub fn standing(&self, unheard: &[Whose], id: NetworkId) -> Standing {
        if unheard.iter().any(|one| one.is_none_or(|one| one == id)) {
            Standing::Unheard
        } else if self.0.keys().any(|one| one.is_none_or(|one| one == id)) {
            Standing::Awaited
        } else {
            Standing::Known
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_expected_back_for_a_while() {
        let id = |id: u32| NetworkId::try_from(id).expect("an id");
        let now = Instant::now();
        let mut absences = Absences::default();
        absences.note(Some(id(2816)), now);
        absences.note(None, now);
        let standing = |absences: &Absences, other: u32| absences.standing(&[], id(other));
        assert_eq!(standing(&absences, 2880), Standing::Awaited);
        absences.clear(None);
        assert_eq!(standing(&absences, 2816), Standing::Awaited);
        assert_eq!(standing(&absences, 2880), Standing::Known);
        for unheard in [Some(id(2816)), None] {
            assert_eq!(absences.standing(&[unheard], id(2816)), Standing::Unheard);
        }

        let end = now + PATIENCE;
        assert_eq!(absences.next_expiry(), Some(end));
        assert!(!absences.expire(end - Duration::from_secs(1)));
        assert!(absences.expire(end));
        assert_eq!(standing(&absences, 2816), Standing::Known);
    }
}
