//! One `renet infra VERB` on a machine, as root: whatever is asked of a machine beside a push. It
//! brings nothing, so it runs a `renet` that a push brought: the one of this very build, else the
//! live generation's.

use super::look::Borrowed;
use super::{LACKING, Observer, Program, PushError, Renets};
use crate::bundle::{Message, Report, Status};
use crate::layout;
use crate::release::Architecture;
use crate::remote::{Exit, Remote};

/// The exit code of a `renet` that does not know the verb or one of its options.
const USAGE: i32 = 2;

/// Runs the first `renet` that is there, or names what is left of a push and the architecture. The
/// search is root's: others may not look into a generation. Words: this build's `renet` or nothing,
/// the live generation, then verb and options.
const CALL: &str = r#"
call='own=$1 current=$2
shift 2
for renet in "$own" "$current/renet"; do
  if [ -f "$renet" ] && [ -x "$renet" ]; then exec "$renet" infra "$@"; fi
done
for path in "$current" /etc/rediacc /var/lib/rediacc/proxy /usr/lib/rediacc; do
  if [ -e "$path" ] || [ -L "$path" ]; then echo "$path"; fi
done
uname -m >&2
exit 69'
if [ "$(id -u)" = 0 ]; then exec sh -c "$call" sh "$@"; fi
exec sudo -n sh -c "$call" sh "$@"
"#;

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
    Done(Report),
    /// How it is doing.
    Status(Box<Status>),
    /// It has no `renet` that could answer.
    NoRenet(Remains),
}

/// What is left of a push on a machine without a `renet`.
#[derive(Debug)]
pub struct Remains {
    paths: Vec<String>,
    architecture: Architecture,
}

impl Remains {
    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether there is a live generation, whose program is gone.
    pub fn has_generation(&self) -> bool {
        self.paths.iter().any(|path| path == layout::CURRENT)
    }
}

impl Call<'_> {
    /// Asks the machine.
    pub async fn run(
        &self,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Called, PushError> {
        let own = self.renet.map(Program::remote_path).unwrap_or_default();
        self.run_by(&own, remote, observer).await
    }

    /// Asks a machine that has no `renet`, by one that is brought for this question alone.
    pub async fn run_borrowed(
        &self,
        remains: &Remains,
        renets: &Renets,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Called, PushError> {
        let renet = renets.of(remains.architecture)?;
        let borrowed = Borrowed::upload(remote, &renet, observer).await?;
        let called = self.run_by(borrowed.path(), remote, observer).await;
        borrowed.remove(remote).await?;
        called
    }

    async fn run_by(
        &self,
        own: &str,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Called, PushError> {
        let mut words = vec![own, layout::CURRENT, self.verb];
        words.extend(self.options.iter().map(String::as_str));
        let mut answer = None;
        let mut others = Vec::new();
        let exit = remote
            .run(CALL, &words, tokio::io::empty(), &mut |_| {}, &mut |line| {
                match serde_json::from_str(line) {
                    Ok(Message::Doing(step)) => observer.step(&step),
                    Ok(message) => answer = Some(message),
                    Err(_) => others.push(line.to_owned()),
                }
            })
            .await?;
        answered(answer, others, exit)
    }
}

fn answered(answer: Option<Message>, others: Vec<String>, exit: Exit) -> Result<Called, PushError> {
    match (answer, exit.code) {
        (Some(Message::Done(report)), _) => Ok(Called::Done(report)),
        (Some(Message::Status(status)), _) => Ok(Called::Status(status)),
        (Some(Message::Failed(failure)), _) => Err(PushError::Machine(failure)),
        (None, LACKING) => Ok(Called::NoRenet(Remains {
            paths: others,
            architecture: exit.stderr.parse()?,
        })),
        // An answer that is no message of this build is as little understood as the question was.
        (_, 0 | USAGE) => Err(PushError::OtherBuild),
        _ if !others.is_empty() => Err(PushError::OtherBuild),
        _ => Err(PushError::remote(exit.stderr)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Failure, FailureKind};

    fn check(answer: Option<Message>, others: &[&str], code: i32, stderr: &str, expected: &str) {
        let others = others.iter().map(|line| (*line).to_owned()).collect();
        let exit = Exit {
            code,
            stderr: stderr.to_owned(),
        };
        let found = match answered(answer, others, exit) {
            Ok(called) => format!("{called:?}"),
            Err(error) => format!("{error:?}"),
        };
        assert!(found.starts_with(expected), "{found}");
    }

    #[test]
    fn what_a_machine_says_is_an_answer_or_tells_why_there_is_none() {
        let done = || Some(Message::Done(Report::default()));
        let failed = Failure {
            kind: FailureKind::Locked,
            message: "locked".to_owned(),
            hint: None,
            journal: Vec::new(),
        };
        check(done(), &[], 0, "", "Done(");
        check(Some(Message::Failed(failed)), &[], 5, "", "Machine(");
        let left = ["/etc/rediacc/current"];
        check(None, &left, 69, "x86_64", "NoRenet(");
        let usage = "error: unrecognized subcommand 'status'";
        check(None, &[], 2, usage, "OtherBuild");
        check(None, &["{\"new\": 1}"], 1, "", "OtherBuild");
        check(None, &[], 0, "", "OtherBuild");
        check(None, &[], 1, "sudo: a password is required", "Sudo(");
        check(None, &[], 127, "sh: not found", "Command(");
    }
}
