//! What `renet infra apply` is told beside the bundle.

use std::time::Duration;

/// How a push shall be done.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Bring the programs, plan, and change nothing.
    pub only_plan: bool,
    /// The digest of the plan that the operator saw: another one is refused.
    pub approved: Option<String>,
    /// Whether files that somebody edited on the machine may be overwritten.
    pub overwrite: bool,
    /// How long to wait for somebody else's push.
    pub lock_wait: Duration,
}

impl Options {
    /// The options of the remote command. How the files change is always asked for: it costs next
    /// to nothing, and an overwritten file can then be told.
    pub(super) fn words(&self) -> Vec<String> {
        let Self {
            only_plan,
            approved,
            overwrite,
            lock_wait,
        } = self;
        let mut words = vec!["--diff".to_owned()];
        if *only_plan {
            words.push("--dry-run".to_owned());
        }
        if let Some(digest) = approved {
            words.extend(["--approved".to_owned(), digest.clone()]);
        }
        if *overwrite {
            words.push("--overwrite".to_owned());
        }
        words.extend(lock_wait_words(*lock_wait));
        words
    }
}

/// The option by which the machine waits for somebody else's push. It counts whole seconds; to wait
/// a little longer than asked does no harm.
pub fn lock_wait_words(patience: Duration) -> Vec<String> {
    let seconds = patience.as_secs() + u64::from(patience.subsec_nanos() > 0);
    if seconds == 0 {
        return Vec::new();
    }
    vec!["--lock-wait".to_owned(), seconds.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_has_its_words() {
        let approved = Options {
            approved: Some("0a1b".to_owned()),
            ..Options::default()
        };
        let waiting = |lock_wait| Options {
            overwrite: true,
            lock_wait,
            ..Options::default()
        };
        let plan = Options {
            only_plan: true,
            ..Options::default()
        };
        for (options, expected) in [
            (Options::default(), "--diff"),
            (plan, "--diff --dry-run"),
            (approved, "--diff --approved 0a1b"),
            (
                waiting(Duration::from_millis(1500)),
                "--diff --overwrite --lock-wait 2",
            ),
            (
                waiting(Duration::from_secs(300)),
                "--diff --overwrite --lock-wait 300",
            ),
        ] {
            assert_eq!(options.words().join(" "), expected);
        }
    }
}
