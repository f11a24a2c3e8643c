//! One `renet infra apply` on the machine: the bundle is its argument, the secrets its standard
//! input.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::dialogue::{self, Answer, Dialogue, Ended, Heard};
use super::root::with_root;
use super::{Observer, Program, PushError, lend};
use crate::bundle::{Bundle, Failure, PROTOCOL, Report, Secrets};
use crate::context::value::TraefikVersion;
use crate::release::Architecture;
use crate::remote::Remote;

/// Runs `renet` as root, or names the programs that cannot be run and the machine. A look needs no
/// Traefik. Words: renet, Traefik or nothing, whether it is a look, then those of `renet`.
const LAUNCH: &str = with_root!(
    r#"
renet=$1 traefik=$2 look=$3 lacking=
shift 3
for program in "$renet" "$traefik"; do
  if [ -n "$program" ] && ! [ -x "$program" ]; then
    echo "lacking $program"
    if [ -z "$look" ] || [ "$program" = "$renet" ]; then lacking=1; fi
  fi
done
if [ -n "$lacking" ]; then echo "machine $(uname -m)"; exit 69; fi
as_root "$renet" "$@"
"#
);

/// What is run on the machine, and with what.
pub(super) struct Launch<'a> {
    pub(super) options: &'a [&'a str],
    pub(super) bundle: &'a Bundle,
    pub(super) secrets: &'a Secrets,
}

/// Which `renet` is run.
#[derive(Clone, Copy)]
pub(super) enum By<'a> {
    /// The one on the machine.
    Its {
        renet: &'a str,
        /// The Traefik that has to be on the machine beside it.
        traefik: Option<&'a str>,
        /// Whether it only looks, so that it needs no Traefik.
        look: bool,
    },
    /// One that comes with the command and goes with it.
    Lent(&'a Program),
}

/// How it ended.
#[expect(clippy::large_enum_variant, reason = "one is made a launch")]
pub(super) enum Launched {
    /// By an answer. A look also tells what is not there.
    Ended(Result<Report, Failure>, Missing),
    /// Programs are to be brought first.
    LackingPrograms {
        paths: BTreeSet<String>,
        architecture: Architecture,
    },
    /// A release of Traefik is to be brought first.
    LackingRelease(TraefikVersion),
}

/// What a look found missing.
#[derive(Default)]
pub(super) struct Missing {
    /// Programs that the push brings.
    pub(super) paths: BTreeSet<String>,
    /// A release of Traefik.
    pub(super) release: Option<TraefikVersion>,
}

impl Launch<'_> {
    pub(super) async fn run(
        &self,
        by: By<'_>,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Launched, PushError> {
        let bundle = Bundle {
            sent_at: sent_at(),
            ..self.bundle.clone()
        };
        let bundle = serde_json::to_string(&bundle).map_err(PushError::Bundle)?;
        let protocol = PROTOCOL.to_string();
        let options = [&["--bundle", &bundle][..], self.options].concat();
        let own = dialogue::words("infra", "apply", &options, &protocol);
        let (mut dialogue, input) = Dialogue::new(self.secrets, tokio::io::empty(), observer)?;
        let mut hear = |line: &str| dialogue.hear(line);
        let exit = match by {
            By::Its {
                renet,
                traefik,
                look,
            } => {
                let look = if look { "look" } else { "" };
                let words = [&[renet, traefik.unwrap_or_default(), look][..], &own].concat();
                remote
                    .run(LAUNCH, &words, input, &mut |_| {}, &mut hear)
                    .await?
            }
            By::Lent(renet) => lend::run(remote, renet, &own, input, &mut hear).await?,
        };
        launched(dialogue.end(exit)?)
    }
}

fn launched(ended: Ended) -> Result<Launched, PushError> {
    Ok(match ended {
        Ended::Answer(answer, Heard { lines, lacking }) => {
            let end = match answer {
                Answer::Done(report) => Ok(report),
                Answer::Failed(failure) => Err(failure),
                Answer::Status(_) | Answer::Repository(_) => {
                    return Err(PushError::Command("it answers something else".to_owned()));
                }
            };
            let missing = Missing {
                paths: dialogue::noted(&lines, "lacking").into_iter().collect(),
                release: lacking.as_ref().map(dialogue::version).transpose()?,
            };
            Launched::Ended(end, missing)
        }
        Ended::Lacking(lacking) => Launched::LackingRelease(dialogue::version(&lacking)?),
        Ended::NotRun(found) => Launched::LackingPrograms {
            paths: found.paths("lacking").into_iter().collect(),
            architecture: found.architecture,
        },
    })
}

/// Now, by this clock; none where it is before 1970.
fn sent_at() -> Option<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.ok().map(|since| since.as_secs())
}
