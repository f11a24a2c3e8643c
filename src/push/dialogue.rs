//! The dialogue with a `renet` on a machine: its answer is read line by line, and our input is sent once
//! it has said hello.

use futures_util::{StreamExt as _, stream};
use tokio::io::AsyncRead;
use tokio::sync::oneshot;
use tokio_util::bytes::Bytes;
use tokio_util::io::{ReaderStream, StreamReader};

use super::{LACKING, Observer, PushError};
use crate::bundle::{
    Failure, Hello, Lacking, Message, PROTOCOL, Report, RepositoryAnswer, Secrets, Status,
};
use crate::context::value::TraefikVersion;
use crate::release::Architecture;
use crate::remote::Exit;

/// The exit code of a `renet` that does not know the verb or one of its options.
const USAGE: i32 = 2;

/// How many lines are kept that are no messages: a script notes a few dozen.
const MOST_LINES: usize = 1000;

/// The words that make a command of `renet` speak our protocol, before the verb.
pub(super) fn words<'a>(
    command: &'a str,
    verb: &'a str,
    options: &[&'a str],
    protocol: &'a str,
) -> Vec<&'a str> {
    [&[command, "--protocol", protocol, verb][..], options].concat()
}

/// One answer, as far as it was heard.
pub(super) struct Dialogue<'a> {
    observer: &'a mut dyn Observer,
    /// What goes to a `renet` that says hello, and the way there.
    document: Option<(oneshot::Sender<Bytes>, Bytes)>,
    hello: Option<Hello>,
    answer: Option<Answer>,
    lacking: Option<Lacking>,
    /// What is no message: the script's own lines.
    lines: Vec<String>,
}

/// What a `renet` came to.
#[derive(Debug)]
pub(super) enum Answer {
    Done(Report),
    Status(Box<Status>),
    Repository(Box<RepositoryAnswer>),
    Failed(Failure),
}

/// How a dialogue ended.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one is made a dialogue")]
pub(super) enum Ended {
    /// By an answer.
    Answer(Answer, Heard),
    /// `renet` lacks a release of Traefik, and has done nothing.
    Lacking(Lacking),
    /// No `renet` was run: what the script found instead.
    NotRun(Found),
}

/// What was heard before the answer.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// What the script found.
    pub(super) lines: Vec<String>,
    /// The release of Traefik that a dry run lacked.
    pub(super) lacking: Option<Lacking>,
}

/// What a script found on a machine without a `renet` to run.
#[derive(Debug)]
pub(super) struct Found {
    lines: Vec<String>,
    /// What the machine is.
    pub(super) architecture: Architecture,
}

impl Found {
    /// The paths that a script noted under a word.
    pub(super) fn paths(&self, word: &str) -> Vec<String> {
        noted(&self.lines, word)
    }
}

/// The paths that a script noted under a word, a line each.
pub(super) fn noted(lines: &[String], word: &str) -> Vec<String> {
    let lines = lines.iter().filter_map(|line| line.split_once(' '));
    lines
        .filter(|(noted, _)| *noted == word)
        .map(|(_, path)| path.to_owned())
        .collect()
}

/// The size of the chunks in which the input after the document is read, in bytes.
const CHUNK: usize = 128 * 1024;

impl<'a> Dialogue<'a> {
    /// A dialogue, and the standard input of the `renet`: the secrets in a line of their own, and
    /// what follows them.
    pub(super) fn new<R: AsyncRead + Unpin>(
        secrets: &Secrets,
        following: R,
        observer: &'a mut dyn Observer,
    ) -> Result<(Self, impl AsyncRead + Unpin + use<R>), PushError> {
        let mut document = serde_json::to_vec(secrets).map_err(PushError::Bundle)?;
        document.push(b'\n');
        let document = Bytes::from(document);
        let (send, sent) = oneshot::channel();
        let mut following = Some(following);
        let input = stream::once(sent).flat_map(move |document| {
            match (document, following.take()) {
                (Ok(document), Some(following)) => stream::once(async { Ok(document) })
                    .chain(ReaderStream::with_capacity(following, CHUNK))
                    .left_stream(),
                // If nothing is sent after all, the input just ends.
                _ => stream::empty().right_stream(),
            }
        });
        let input = StreamReader::new(Box::pin(input));
        let dialogue = Self {
            observer,
            document: Some((send, document)),
            hello: None,
            answer: None,
            lacking: None,
            lines: Vec::new(),
        };
        Ok((dialogue, input))
    }

    /// Hears a line.
    pub(super) fn hear(&mut self, line: &str) {
        match serde_json::from_str(line) {
            Ok(Message::Hello(hello)) => {
                // One that speaks otherwise sees the end of its input at once, or it might wait.
                if let Some((send, document)) = self.document.take()
                    && hello.protocol == PROTOCOL
                {
                    // Nobody takes it any more where the connection broke, which is told elsewhere.
                    let _ = send.send(document);
                }
                self.hello = Some(hello);
            }
            Ok(Message::Doing(step)) => self.observer.step(&step),
            Ok(Message::Done(report)) => self.answer = Some(Answer::Done(report)),
            Ok(Message::Status(status)) => self.answer = Some(Answer::Status(status)),
            Ok(Message::Line(line)) => self.observer.line(&line),
            Ok(Message::Repository(answer)) => self.answer = Some(Answer::Repository(answer)),
            Ok(Message::Failed(failure)) => self.answer = Some(Answer::Failed(failure)),
            Ok(Message::Lacking(lacking)) => self.lacking = Some(lacking),
            Err(_) if self.lines.len() < MOST_LINES => self.lines.push(line.to_owned()),
            // Nothing of ours says so much.
            Err(_) => {}
        }
    }

    /// What was said, as a whole.
    pub(super) fn end(self, exit: Exit) -> Result<Ended, PushError> {
        let Self {
            hello,
            answer,
            lacking,
            lines,
            ..
        } = self;
        let other = |hello: Option<&Hello>| PushError::OtherProtocol(hello.cloned());
        match &hello {
            Some(hello) if hello.protocol != PROTOCOL => return Err(other(Some(hello))),
            Some(_) => {}
            None if exit.code == LACKING => return found(lines, exit).map(Ended::NotRun),
            // A `renet` from before there were protocols.
            None if answer.is_some() || [0, USAGE].contains(&exit.code) => return Err(other(None)),
            None => return Err(PushError::remote(exit.stderr)),
        }
        match (answer, lacking) {
            (Some(answer), lacking) => Ok(Ended::Answer(answer, Heard { lines, lacking })),
            (None, Some(lacking)) => Ok(Ended::Lacking(lacking)),
            (None, None) => Err(PushError::remote(exit.stderr)),
        }
    }
}

/// The script's last line names the machine: without it, not all was heard.
fn found(lines: Vec<String>, exit: Exit) -> Result<Found, PushError> {
    let machine = lines.last().and_then(|line| line.strip_prefix("machine "));
    let Some(machine) = machine else {
        return Err(PushError::remote(exit.stderr));
    };
    Ok(Found {
        architecture: machine.parse()?,
        lines,
    })
}

/// The version of a release as a machine names it.
pub(super) fn version(lacking: &Lacking) -> Result<TraefikVersion, PushError> {
    lacking.traefik.parse().map_err(PushError::Version)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::bundle::{Step, Token};
    use crate::release;

    struct Deaf;

    impl release::Observer for Deaf {
        fn downloading(&mut self, _: &str, _: Option<u64>) {}
        fn received(&mut self, _: u64) {}
    }

    impl Observer for Deaf {
        fn step(&mut self, _: &Step) {}
        fn resumed(&mut self, _: u64) {}
        fn sent(&mut self, _: u64) {}
    }

    const HELLO: &str = r#"{"hello":{"protocol":2,"version":"0.1.0"}}"#;
    const DONE: &str = r#"{"done":{"generation":1,"steps":[],"opens":[],"closes":[],"drift":[],"diffs":[],"kept":[],"warnings":[],"digest":""}}"#;
    const LOCKED: &str =
        r#"{"failed":{"kind":"locked","message":"locked","hint":null,"journal":[]}}"#;

    #[track_caller]
    fn check(lines: &[&str], code: i32, stderr: &str, expected: &str) {
        let mut observer = Deaf;
        let (mut dialogue, _input) =
            Dialogue::new(&Secrets::default(), tokio::io::empty(), &mut observer)
                .expect("a dialogue");
        for line in lines {
            dialogue.hear(line);
        }
        let exit = Exit {
            code,
            stderr: stderr.to_owned(),
        };
        let found = match dialogue.end(exit) {
            Ok(ended) => format!("{ended:?}"),
            Err(error) => format!("{error:?}"),
        };
        assert!(found.starts_with(expected), "{lines:?}: {found}");
    }

    #[test]
    fn what_a_machine_says_is_an_answer_or_tells_why_there_is_none() {
        check(&[HELLO, DONE], 0, "", "Answer(Done(");
        check(&[HELLO, LOCKED], 5, "", "Answer(Failed(");
        let lacking = r#"{"lacking":{"traefik":"3.7.15"}}"#;
        check(&[HELLO, lacking], 0, "", "Lacking(");
        check(&[HELLO, lacking, DONE], 0, "", "Answer(Done(");
        check(&[HELLO], 137, "Killed", "Command(\"Killed");

        check(&["left /etc/rediacc", "machine x86_64"], 69, "", "NotRun(");
        // An answer that broke off says nothing of what is there.
        check(&["left /etc/rediacc"], 69, "", "Command(");
        check(&[], 69, "", "Command(");
        check(&["machine mips"], 69, "", "UnknownArchitecture(");

        let newer = r#"{"hello":{"protocol":3,"version":"1.0.0"}}"#;
        check(&[newer, LOCKED], 6, "", "OtherProtocol(Some(");
        let usage = "error: unexpected argument '--protocol' found";
        check(&[], 2, usage, "OtherProtocol(None");
        check(&[DONE], 0, "", "OtherProtocol(None");
        check(&[], 1, "sudo: a password is required", "Root(");
        check(&[], 127, "sh: not found", "Command(");
    }

    #[tokio::test]
    async fn what_is_sent_goes_to_a_renet_of_our_protocol_that_said_hello() {
        let secrets = Secrets {
            cf_dns_token: Some(Token("s3cret".into())),
        };
        for (lines, expected) in [
            (&[HELLO][..], "{\"cf_dns_token\":\"s3cret\"}\nmore"),
            (&["$ ", "fish: unknown command", DONE], ""),
            (&[r#"{"hello":{"protocol":3,"version":"1"}}"#], ""),
        ] {
            let mut observer = Deaf;
            let (mut dialogue, mut input) =
                Dialogue::new(&secrets, &b"more"[..], &mut observer).expect("a dialogue");
            for line in lines {
                dialogue.hear(line);
            }
            drop(dialogue);
            let mut sent = String::new();
            input.read_to_string(&mut sent).await.expect("it is read");
            assert_eq!(sent, expected, "{lines:?}");
        }
    }
}
