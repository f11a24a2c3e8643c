//! A login that lets us in and does not run our command: what it does instead.
//!
//! A login script may read what is meant for the command, or start another program in its place.
//! Neither says anything, so that only a second command tells: one whose input ends at once.
//!
//! ```text
//! our command     ──── silent ───────────────────────────────► still silent: it waits for input
//! the second one       └─ begins, or ends without beginning ──┘
//! ```

use std::time::Duration;

use tokio::io::empty;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Remote;
use super::command::{self, Preamble};
use super::error::LoginProblem;

/// How long a login may be silent before a second command is tried.
const DOUBT: Duration = Duration::from_secs(3);
/// How long our command may take once the second one has begun, which was asked for later.
const GRACE: Duration = Duration::from_secs(10);
/// How long a login may take at the most. One that waits for a service that hangs takes 25 s.
const LIMIT: Duration = Duration::from_secs(60);

impl Remote {
    /// What keeps a command from beginning. Answers only where it does not begin.
    pub(super) async fn doubt(&self, mut begun: watch::Receiver<bool>) -> LoginProblem {
        let deadline = Instant::now() + LIMIT;
        let problem = async {
            sleep(DOUBT).await;
            if let Some(problem) = self.probe(deadline).await {
                if problem == LoginProblem::ReadsInput {
                    // One that was only slow the first time gets its time.
                    sleep(GRACE).await;
                }
                return problem;
            }
            sleep_until(deadline).await;
            LoginProblem::Silent {
                seconds: LIMIT.as_secs(),
            }
        };
        let has_begun = async {
            // It fails where the command has ended, which is told elsewhere.
            let _ = begun.wait_for(|begun| *begun).await;
        };
        tokio::select! {
            biased;
            () = has_begun => std::future::pending().await,
            problem = problem => problem,
        }
    }

    /// Runs a command that does nothing and gets no input. None where that tells nothing.
    async fn probe(&self, deadline: Instant) -> Option<LoginProblem> {
        let (begin, begun) = watch::channel(true);
        let mut preamble = Preamble::default();
        let mut line = |text: &str| {
            preamble.is_over(text);
        };
        let command = command::line("", &[]);
        let mut sent = |_| {};
        let conversation = self
            .link
            .converse(&command, empty(), begun, &mut sent, &mut line);
        let left = deadline.saturating_duration_since(Instant::now());
        let ended = timeout(left, conversation).await;
        drop(begin);
        match ended {
            Ok(Ok(ended)) if !preamble.ended() => Some(LoginProblem::TakesOver {
                said: command::said(&preamble, &ended.stderr),
            }),
            Ok(Ok(_)) => Some(LoginProblem::ReadsInput),
            // A server that allows one command a connection, or one that hangs.
            Ok(Err(_)) | Err(_) => None,
        }
    }
}
