//! One `renet infra apply` on the machine, with the bundle on its standard input.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::{LACKING, Observer, PushError};
use crate::bundle::{Bundle, Failure, Message, Report};
use crate::context::value::TraefikVersion;
use crate::release::Architecture;
use crate::remote::Remote;

/// Runs `renet infra apply` as root, or names the programs that are missing and the architecture.
/// Words: renet, traefik or nothing, then options.
const LAUNCH: &str = r#"
renet=$1 traefik=$2 lacking=
shift 2
for program in "$renet" "$traefik"; do
  [ -z "$program" ] || [ -x "$program" ] || { echo "$program"; lacking=1; }
done
[ -z "$lacking" ] || { uname -m >&2; exit 69; }
if [ "$(id -u)" = 0 ]; then exec "$renet" infra apply "$@"; fi
exec sudo -n "$renet" infra apply "$@"
"#;

/// What is run on the machine, and with what.
pub(super) struct Launch<'a> {
    /// The `renet` to run, on the machine.
    pub(super) renet: &'a str,
    /// The Traefik that has to be on the machine beside it.
    pub(super) traefik: Option<&'a str>,
    pub(super) options: &'a [&'a str],
    pub(super) bundle: &'a Bundle,
}

/// How it ended.
pub(super) enum Launched {
    /// By an answer.
    Ended(Result<Report, Failure>),
    /// Programs are to be brought first.
    LackingPrograms {
        paths: BTreeSet<String>,
        architecture: Architecture,
    },
    /// A release of Traefik is to be brought first.
    LackingRelease(TraefikVersion),
}

impl Launch<'_> {
    pub(super) async fn run(
        &self,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Launched, PushError> {
        let words: Vec<&str> = [self.renet, self.traefik.unwrap_or_default()]
            .into_iter()
            .chain(self.options.iter().copied())
            .collect();
        let bundle = Bundle {
            sent_at: sent_at(),
            ..self.bundle.clone()
        };
        let bundle = serde_json::to_vec(&bundle).map_err(PushError::Bundle)?;
        let mut end = None;
        let mut release = None;
        let mut paths = BTreeSet::new();
        let exit = remote
            .run(
                LAUNCH,
                &words,
                bundle.as_slice(),
                &mut |_| {},
                &mut |line| match serde_json::from_str(line) {
                    Ok(Message::Doing(step)) => observer.step(&step),
                    Ok(Message::Done(report)) => end = Some(Ok(report)),
                    Ok(Message::Failed(failure)) => end = Some(Err(failure)),
                    Ok(Message::Lacking(lacking)) => release = Some(lacking.traefik),
                    // Not the answer to a push.
                    Ok(Message::Status(_)) => {}
                    Err(_) => {
                        paths.insert(line.to_owned());
                    }
                },
            )
            .await?;
        match (end, release, exit.code) {
            (Some(end), _, _) => Ok(Launched::Ended(end)),
            (None, Some(version), _) => {
                let version = version.parse().map_err(PushError::Version)?;
                Ok(Launched::LackingRelease(version))
            }
            (None, None, LACKING) => Ok(Launched::LackingPrograms {
                paths,
                architecture: exit.stderr.parse()?,
            }),
            (None, None, _) => Err(PushError::remote(exit.stderr)),
        }
    }
}

/// Now, by this clock; none where it is before 1970.
fn sent_at() -> Option<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.ok().map(|since| since.as_secs())
}
