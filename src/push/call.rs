//! Runs one `renet infra VERB` or `renet repo VERB` on a machine, as root: everything but a push. It runs a `renet` that a push brought: the one of this very build, else the live
//! generation's. A machine on which none can be run may be lent one for the question.

use tokio::io::AsyncRead;

use super::dialogue::{self, Answer, Dialogue, Ended, Found};
use super::root::with_root;
use super::{Observer, Program, PushError, lend};
use crate::bundle::{PROTOCOL, Report, RepositoryAnswer, Secrets, Status};
use crate::layout;
use crate::release::Architecture;
use crate::remote::{Remote, Streams};

/// Runs the first `renet` that can be run, or names what is left of a push and the machine. The
/// search is root's: others may not look into a generation. Words: this build's `renet` or nothing,
/// the live generation, the `renet` of the repositories or nothing, then those of `renet`.
const CALL: &str = with_root!(
    r#"
call='own=$1 current=$2 repositories=$3
shift 3
for renet in "$own" "$current/renet" "$repositories"; do
  if [ -f "$renet" ] && [ -x "$renet" ]; then exec "$renet" "$@"; fi
done
for renet in "$own" "$current/renet" "$repositories"; do
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

/// Executes the first `renet` that can run, or prints the given text if there is none. With `watch`, it
/// is killed at the end of standard input, together with whatever it started, because one that waits
/// for output would not notice that the connection is gone. Arguments: this build's `renet` or nothing,
/// the live generation, the `renet` of the repositories or nothing, the text, whether to watch, then the
/// arguments of `renet`.
const ATTACH: &str = with_root!(
    r#"
call='own=$1 current=$2 repositories=$3 none=$4 watch=$5 run=
shift 5
for renet in "$repositories" "$current/renet" "$own"; do
  if [ -f "$renet" ] && [ -x "$renet" ]; then run=$renet; fi
done
if [ -z "$run" ]; then
  echo "$none" >&2
  exit 69
fi
[ -n "$watch" ] || exec "$run" "$@"
exec 3<&0 </dev/null
setsid "$run" "$@" 3<&- &
child=$!
{ cat <&3; kill -- "-$child" || kill "$child"; } >/dev/null 2>&1 &
exec 3<&-
{ wait "$child"; code=$?; } 2>/dev/null
exit "$code"'
as_root sh -c "$call" sh "$@"
"#
);

/// The command of `renet` that is about repositories.
const REPO: &str = "repo";

/// A call of `renet` on a machine.
#[derive(Debug)]
pub struct Call<'a> {
    /// The command of `renet`: `infra` or `repo`.
    pub command: &'a str,
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
    /// The answer of `renet repo`.
    Repository(Box<RepositoryAnswer>),
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
        self.ask(None, tokio::io::empty(), remote, observer).await
    }

    /// Asks the machine, and sends `sent` after the secrets.
    pub async fn run_with(
        &self,
        sent: impl AsyncRead + Unpin,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Called, PushError> {
        self.ask(None, sent, remote, observer).await
    }

    /// Asks a machine by a `renet` that is lent for this question.
    pub async fn run_lent(
        &self,
        renet: &Program,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Called, PushError> {
        self.ask(Some(renet), tokio::io::empty(), remote, observer)
            .await
    }

    /// Runs the machine's `renet` on our terminal, or with our standard streams, and returns its exit
    /// code. `none` is printed if there is no `renet` to run.
    pub async fn attach(
        &self,
        remote: &Remote,
        streams: Streams,
        none: &str,
    ) -> Result<i32, PushError> {
        let own = self.renet.map(Program::remote_path).unwrap_or_default();
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let watch = match streams {
            Streams::Outputs => "watch",
            Streams::Terminal | Streams::All => "",
        };
        let repositories = self.renet_of_repositories();
        let found = [&*own, layout::CURRENT, repositories];
        let fixed = [&found[..], &[none, watch, self.command, self.verb]].concat();
        let words = [&fixed[..], &options].concat();
        Ok(remote.attach(ATTACH, &words, streams).await?)
    }

    /// The `renet` that stays with the repositories if the infrastructure is removed. It is not asked
    /// about the infrastructure.
    fn renet_of_repositories(&self) -> &'static str {
        match self.command {
            REPO => layout::REPOSITORIES_RENET,
            _ => "",
        }
    }

    async fn ask(
        &self,
        lent: Option<&Program>,
        sent: impl AsyncRead + Unpin,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Called, PushError> {
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let protocol = PROTOCOL.to_string();
        let words = dialogue::words(self.command, self.verb, &options, &protocol);
        let (mut dialogue, input) = Dialogue::new(&Secrets::default(), sent, observer)?;
        let mut hear = |line: &str| dialogue.hear(line);
        let exit = match lent {
            Some(renet) => lend::run(remote, renet, &words, input, &mut hear).await?,
            None => {
                let own = self.renet.map(Program::remote_path).unwrap_or_default();
                let found = [&*own, layout::CURRENT, self.renet_of_repositories()];
                let words = [&found[..], &words].concat();
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
        Ended::Answer(Answer::Repository(answer), _) => Ok(Called::Repository(answer)),
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
