//! How far the machine's clock is from the workstation's, which is the one that a person sees.

use std::time::{Duration, SystemTime};

use super::findings::Findings;

/// What a push may take on its way, and clocks may differ by without harm.
const TOLERATED: Duration = Duration::from_secs(5 * 60);
/// From here on certificates cannot work: the authority's own would not be valid yet or any more,
/// and renewals would come on wrong days.
const HOPELESS: Duration = Duration::from_secs(24 * 60 * 60);

/// Two clocks, read at the same moment.
#[derive(Clone, Copy, Debug)]
pub(in crate::machine) struct Clock {
    machine: SystemTime,
    workstation: SystemTime,
}

impl Clock {
    /// The machine's clock now, beside the workstation's as the bundle tells it in seconds since
    /// 1970: to be asked as soon as the bundle is read. None where that is no time.
    pub(in crate::machine) fn beside(sent_at: u64) -> Option<Self> {
        Some(Self {
            machine: SystemTime::now(),
            workstation: SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(sent_at))?,
        })
    }

    /// Says where the clocks differ by more than they may. Where certificates are to be obtained,
    /// a day is too much: a push would start what cannot work. Less is told only, as it may well
    /// be the workstation's clock that is wrong.
    pub(super) fn examine(self, uses_acme: bool, findings: &mut Findings) {
        let (difference, word) = match self.machine.duration_since(self.workstation) {
            Ok(ahead) => (ahead, "ahead of"),
            Err(error) => (error.duration(), "behind"),
        };
        if difference <= TOLERATED {
            return;
        }
        let minutes = Duration::from_secs((difference.as_secs() + 30) / 60 * 60);
        let said = format!(
            "this machine's clock is {} {word} the workstation's ({} here, {} there)",
            humantime::format_duration(minutes),
            humantime::format_rfc3339_seconds(self.machine),
            humantime::format_rfc3339_seconds(self.workstation),
        );
        if !uses_acme {
            findings.warning(said);
        } else if difference <= HOPELESS {
            findings.warning(format!(
                "{said}: certificates may not be obtained or renewed"
            ));
        } else {
            findings.problem(
                format!("{said}: no certificate can be obtained"),
                "`timedatectl set-ntp true` sets the clock of the one that is wrong",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_far_off_is_told_and_with_certificates_a_day_is_too_much() {
        const HOUR: i64 = 60 * 60;
        for (ahead, uses_acme, expected) in [
            (0, true, Ok("")),
            (5 * 60, true, Ok("")),
            (-5 * 60, true, Ok("")),
            (HOUR, true, Ok("1h ahead of the workstation's (")),
            (-HOUR, true, Ok("1h behind the workstation's (")),
            (25 * HOUR, true, Err("1day 1h ahead of")),
            (-25 * HOUR, true, Err("1day 1h behind")),
            (25 * HOUR, false, Ok("1day 1h ahead of")),
        ] {
            let machine = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
            let difference = Duration::from_secs(ahead.unsigned_abs());
            let workstation = if ahead > 0 {
                machine - difference
            } else {
                machine + difference
            };
            let clock = Clock {
                machine,
                workstation,
            };
            let mut findings = Findings::default();
            clock.examine(uses_acme, &mut findings);
            match (findings.warnings_or_refusal(), expected) {
                (Ok(warnings), Ok("")) => assert_eq!(warnings, Vec::<String>::new(), "{ahead}"),
                (Ok(warnings), Ok(words)) => {
                    assert!(warnings.join("\n").contains(words), "{warnings:?}");
                }
                (Err(failure), Err(words)) => {
                    assert!(failure.message.contains(words), "{}", failure.message);
                }
                (answer, expected) => panic!("{ahead}: {answer:?}, not {expected:?}"),
            }
        }
    }
}
