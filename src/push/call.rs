//! One `renet infra VERB` on a machine, as root: whatever is asked of a machine beside a push. It
//! runs a `renet` that a push brought: the one of this very build, else the live generation's. A
//! machine on which none can be run may be lent one for the question.

use super::dialogue::{self, Answer, Dialogue, Ended, Found};
use super::root::with_root;
use super::{Observer, Program, PushError, lend};
use crate::bundle::{PROTOCOL, Report, Secrets, Status};
use crate::layout;
use crate::release::Architecture;
use crate::remote::Remote;

/// Runs the first `renet` that can be run, or names what is left of a push and the machine. The
/// search is root's: others may not look into a generation. Words: this build's `renet` or nothing,
/// the live generation, then those of `renet`.
const CALL: &str = with_root!(
    r#"
call='own=$1 current=$2
shift 2
for renet in "$own" "$current/renet"; do
  if [ -f "$renet" ] && [ -x "$renet" ]; then exec "$renet" "$@"; fi
done
for renet in "$own" "$current/renet"; do
  if [ -f "$renet" ]; then echo "unusable $renet"; fi
done
for path in "$current" /etc/rediacc /etc/systemd/system/rediacc-* /var/lib/rediacc/proxy \
  /usr/lib/rediacc; do
  if [ -e "$path" ] || [ -L "$path" ]; then echo "left $path"; fi
done
echo "machine $(uname -m)"
exit 69'
as_root sh -c "$call" sh "$@"
"#
);

/// What is asked of a machine.
#[derive(Debug)]
pub struct Call<'a> {
    /// The verb, as in `renet infra VERB`.
    pub verb: &'a str,
    /// Its options.
    pub options: Vec<String>,
    /// The `renet` of this build, where it is at hand.
    pub renet: Option<&'a Program>,
}

/// How the machine answers.
#[derive(Debug)]
pub enum Called {
    /// What was done or, of a dry run, would be done.
    Done(Box<Report>),
    /// How it is doing.
    Status(Box<Status>),
    /// Nothing of a push is on it: all places were looked at.
    Nothing,
    /// Something of a push is on it, but no `renet` that could answer.
    NoRenet(Remains),
}

/// What is left of a push on a machine without a `renet` that can be run. There is something.
#[derive(Debug)]
pub struct Remains {
    /// Programs that are there and cannot be run.
    pub unusable: Vec<String>,
    /// What the machine is.
    pub architecture: Architecture,
}

impl Call<'_> {
    /// Asks the machine.
    pub async fn run(
        &self,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Called, PushError> {
        self.ask(None, remote, observer).await
    }

    /// Asks a machine by a `renet` that is lent for this question.
    pub async fn run_lent(
        &self,
        renet: &Program,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Called, PushError> {
        self.ask(Some(renet), remote, observer).await
    }

    async fn ask(
        &self,
        lent: Option<&Program>,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Called, PushError> {
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let protocol = PROTOCOL.to_string();
        let words = dialogue::words(self.verb, &options, &protocol);
        let (mut dialogue, input) = Dialogue::new(&Secrets::default(), observer)?;
        let mut hear = |line: &str| dialogue.hear(line);
        let exit = match lent {
            Some(renet) => lend::run(remote, renet, &words, input, &mut hear).await?,
            None => {
                let own = self.renet.map(Program::remote_path).unwrap_or_default();
                let words = [&[&*own, layout::CURRENT][..], &words].concat();
                remote
                    .run(CALL, &words, input, &mut |_| {}, &mut hear)
                    .await?
            }
        };
        called(dialogue.end(exit)?)
    }
}

fn called(ended: Ended) -> Result<Called, PushError> {
    match ended {
        Ended::Answer(Answer::Done(report), _) => Ok(Called::Done(Box::new(report))),
        Ended::Answer(Answer::Status(status), _) => Ok(Called::Status(status)),
        Ended::Answer(Answer::Failed(failure), _) => Err(PushError::Machine(failure)),
        Ended::NotRun(found) => Ok(remains(&found).map_or(Called::Nothing, Called::NoRenet)),
        // The answer to a push.
        Ended::Lacking(..) => Err(PushError::Command("it answers something else".to_owned())),
    }
}

/// What is left of a push, if anything is.
fn remains(found: &Found) -> Option<Remains> {
    let unusable = found.paths("unusable");
    if unusable.is_empty() && found.paths("left").is_empty() {
        return None;
    }
    Some(Remains {
        unusable,
        architecture: found.architecture,
    })
}
