//! `rdc context scan-keys`: reads the machines' host keys again, and keeps them.
//!
//! A key that is new beside a known one is kept; a key that changed is not, unless the operator
//! says so.

use serde::Serialize;

use crate::cli::failure::{Exit, Failure};
use crate::cli::interrupt::interruptible;
use crate::cli::prompt;
use crate::cli::session::Session;
use crate::cli::table::table;
use crate::context::Reach;
use crate::context::value::{HostKey, MachineName};
use crate::remote::scan_host_keys;

#[derive(clap::Args, Debug)]
pub(crate) struct ScanKeys {
    /// The machines [default: all]
    #[arg(value_name = "MACHINE")]
    machines: Vec<MachineName>,
    /// Trust the new key of a machine whose key changed
    #[arg(long)]
    accept_changed: bool,
}

impl ScanKeys {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let names = if self.machines.is_empty() {
            context.machines.keys().cloned().collect()
        } else {
            self.machines
        };
        // A wrong name is found before the first machine is asked.
        for name in &names {
            context.machine(name)?;
        }
        let mut scanned = Vec::new();
        let mut failures = Vec::new();
        for name in names {
            let machine = context.machine(&name)?;
            match scan(
                session,
                &name,
                &machine.reach,
                &machine.host_keys,
                self.accept_changed,
            ) {
                Ok(state) => scanned.push(Scanned { name, state }),
                Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
                Err(failure) => failures.push((name, failure)),
            }
        }
        if let Some(failure) = all_of(failures) {
            // With `--json` the answer is the error alone, one object.
            if !session.output.is_json() {
                report(session, &scanned);
            }
            return Err(failure);
        }
        report(session, &scanned);
        Ok(Exit::Done)
    }
}

/// What a scan found of one machine.
#[derive(Serialize)]
struct Scanned {
    name: MachineName,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// It is the workstation itself.
    Local,
    /// The keys are those that are known.
    Unchanged,
    /// Keys were added, beside known ones or as the first.
    Added,
    /// The operator accepted a changed key.
    Changed,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Local => "local, no keys",
            Self::Unchanged => "unchanged",
            Self::Added => "added",
            Self::Changed => "changed, accepted",
        }
    }
}

/// How scanned keys relate to the known ones.
#[derive(Debug, PartialEq, Eq)]
enum Relation {
    /// There were none.
    First,
    /// The same ones.
    Same,
    /// The same machine with more, or fewer, kinds of keys.
    Agrees,
    /// A key of a known kind is another one, or none is known.
    Conflicts,
}

fn relation(known: &[HostKey], found: &[HostKey]) -> Relation {
    let conflicts = known.iter().any(|known| {
        let mut same_kind = found
            .iter()
            .filter(|key| key.algorithm() == known.algorithm())
            .peekable();
        same_kind.peek().is_some() && !same_kind.any(|key| key == known)
    });
    if known.is_empty() {
        Relation::First
    } else if conflicts || !known.iter().any(|key| found.contains(key)) {
        Relation::Conflicts
    } else if known.len() == found.len() && known.iter().all(|key| found.contains(key)) {
        Relation::Same
    } else {
        Relation::Agrees
    }
}

fn scan(
    session: &Session,
    name: &MachineName,
    reach: &Reach,
    known: &[HostKey],
    accept_changed: bool,
) -> Result<State, Failure> {
    if *reach == Reach::Local {
        return Ok(State::Local);
    }
    session
        .output
        .detail(&format!("asking {reach} for its host keys"));
    let asked = reach.clone();
    let found = interruptible(move || scan_host_keys(&asked))??;
    let shown = fingerprints(&found);
    let state = match relation(known, &found) {
        Relation::Same => return Ok(State::Unchanged),
        Relation::First => {
            session
                .output
                .note(&format!("host keys of {name}:\n{shown}"));
            if prompt::can_ask(session) && !prompt::confirm("trust these keys from now on?", false)?
            {
                return Err(Failure::new(Exit::Refused, "nothing was stored"));
            }
            State::Added
        }
        Relation::Agrees => State::Added,
        Relation::Conflicts => {
            let both = format!("known:\n{}\nfound:\n{shown}", fingerprints(known));
            let refused = Failure::new(
                Exit::Refused,
                format!("the host key changed; somebody may stand in between\n{both}"),
            )
            .hint(format!(
                "if you know why, run `rdc context scan-keys {name} --accept-changed`"
            ));
            if !accept_changed {
                if !prompt::can_ask(session) {
                    return Err(refused);
                }
                session
                    .output
                    .warn(&format!("the host key of {name} changed\n{both}"));
                if !prompt::confirm("do you know why, and trust the found keys?", false)? {
                    return Err(refused);
                }
            }
            State::Changed
        }
    };
    session.edit(|context| {
        context.machine_mut(name)?.host_keys = found;
        Ok(())
    })?;
    Ok(state)
}

/// The fingerprints, one a line, as OpenSSH shows them.
pub(crate) fn fingerprints(keys: &[HostKey]) -> String {
    let line = |key: &HostKey| format!("  {}", key.summary());
    keys.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// One failure of all: the first one's kind, with every machine named.
fn all_of(failures: Vec<(MachineName, Failure)>) -> Option<Failure> {
    let mut lines = Vec::new();
    let mut first: Option<Failure> = None;
    for (name, failure) in failures {
        lines.push(format!("{name}: {}", failure.message));
        first.get_or_insert(failure);
    }
    first.map(|failure| Failure {
        message: lines.join("\n"),
        ..failure
    })
}

fn report(session: &Session, scanned: &[Scanned]) {
    let answer = serde_json::json!({ "machines": scanned });
    session.output.result(&answer, || {
        let rows: Vec<[String; 2]> = scanned
            .iter()
            .map(|scanned| [scanned.name.to_string(), scanned.state.word().to_owned()])
            .collect();
        match rows.as_slice() {
            [] => String::new(),
            rows => table(&session.output, ["MACHINE", "HOST KEYS"], rows),
        }
    });
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    /// A key whose body is made of its kind and a letter.
    fn key(kind: &str, letter: &str) -> HostKey {
        let length = u8::try_from(kind.len()).expect("a short name");
        let body = [&[0, 0, 0, length], kind.as_bytes(), letter.as_bytes()].concat();
        let body = base64::engine::general_purpose::STANDARD.encode(body);
        format!("{kind} {body}").parse().expect("a key")
    }

    #[test]
    fn a_key_that_changed_is_told_from_one_that_came_along() {
        let (a, b, rsa) = (
            key("ssh-ed25519", "a"),
            key("ssh-ed25519", "b"),
            key("ssh-rsa", "c"),
        );
        for (known, found, expected) in [
            (vec![], vec![&a], Relation::First),
            (vec![&a], vec![&a], Relation::Same),
            (vec![&a], vec![&a, &rsa], Relation::Agrees),
            (vec![&a, &rsa], vec![&a], Relation::Agrees),
            (vec![&a], vec![&b], Relation::Conflicts),
            (vec![&a, &rsa], vec![&b, &rsa], Relation::Conflicts),
            (vec![&a], vec![&rsa], Relation::Conflicts),
        ] {
            let owned = |keys: &[&HostKey]| keys.iter().copied().cloned().collect::<Vec<_>>();
            assert_eq!(relation(&owned(&known), &owned(&found)), expected);
        }
    }
}
