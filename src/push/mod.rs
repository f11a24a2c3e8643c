//! A bundle's way to a machine: the programs it lacks, then one `renet infra apply` with the
//! bundle on its standard input.
//!
//! The machine plans, because only it knows what it has: a push that finds everything in place is
//! one connection and one remote command.

mod program;

use std::collections::BTreeSet;

use crate::bundle::{Bundle, Failure, Message, Report, Step};
use crate::remote::{Remote, RemoteError};

pub use program::{Program, ProgramError};

/// The exit code by which the launcher says that a program is missing.
const LACKING: i32 = 69;

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

/// Writes a program from standard input to its place, if its content is what was announced.
/// Words: path, SHA-256.
const UPLOAD: &str = r#"
install='set -e
umask 022
path=$1 sum=$2 folder=${1%/*}
mkdir -p "$folder"
part=$folder/.part.$$
trap "rm -f \"$part\"" EXIT
cat > "$part"
echo "$sum  $part" | sha256sum -c --status - || { echo "the upload arrived damaged" >&2; exit 1; }
chmod 0755 "$part"
sync "$part"
mv -f "$part" "$path"'
if [ "$(id -u)" = 0 ]; then exec sh -c "$install" sh "$@"; fi
exec sudo -n sh -c "$install" sh "$@"
"#;

/// Writes a program from standard input to a folder of its own that nobody else can use, and
/// prints its path.
const UPLOAD_FOR_A_LOOK: &str = r#"
set -e
umask 077
folder=$(mktemp -d)
cat > "$folder/renet"
chmod 0700 "$folder/renet"
echo "$folder/renet"
"#;

/// What a push brings.
#[derive(Debug)]
pub struct Delivery {
    /// What the machine shall become.
    pub bundle: Bundle,
    /// The `renet` that does it and will run there.
    pub renet: Program,
    /// The Traefik to bring, if one was named.
    pub traefik: Option<Program>,
}

/// Who wants to see how a push goes on.
pub trait Observer {
    /// A step begins.
    fn step(&mut self, step: &Step);
    /// So many bytes of the upload under way have gone.
    fn sent(&mut self, bytes: u64);
}

impl Delivery {
    /// Brings the machine to the bundle.
    pub async fn push(
        &self,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Report, PushError> {
        let mut uploads = Vec::new();
        loop {
            let (renet, traefik) = (self.renet.remote_path(), self.traefik.as_ref());
            match self.launch(remote, &renet, traefik, &[], observer).await? {
                Launched::Ended(Ok(mut report)) => {
                    report.steps.splice(0..0, uploads);
                    return Ok(report);
                }
                Launched::Ended(Err(failure)) => return Err(PushError::Machine(failure)),
                Launched::Lacking { .. } if !uploads.is_empty() => {
                    return Err(PushError::UploadGone);
                }
                Launched::Lacking {
                    programs,
                    architecture,
                } => {
                    for program in self.lacking(&programs, &architecture)? {
                        let step = program.upload_step();
                        observer.step(&step);
                        upload(remote, program, observer).await?;
                        uploads.push(step);
                    }
                }
            }
        }
    }

    /// Says what a push would do, and changes nothing.
    pub async fn dry_run(
        &self,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Report, PushError> {
        let path = self.renet.remote_path();
        let options = ["--dry-run"];
        let traefik = self.traefik.as_ref();
        let launched = self
            .launch(remote, &path, traefik, &options, observer)
            .await?;
        let (programs, architecture) = match launched {
            Launched::Ended(end) => return end.map_err(PushError::Machine),
            Launched::Lacking {
                programs,
                architecture,
            } => (programs, architecture),
        };
        let lacking = self.lacking(&programs, &architecture)?;
        // The Traefik to bring need not be there for a look at what would be; renet does.
        let launched = if lacking.contains(&&self.renet) {
            let borrowed = Borrowed::upload(remote, &self.renet, observer).await?;
            let launched = self
                .launch(remote, &borrowed.path, None, &options, observer)
                .await;
            borrowed.remove(remote).await?;
            launched?
        } else {
            self.launch(remote, &path, None, &options, observer).await?
        };
        match launched {
            Launched::Ended(end) => {
                let mut report = end.map_err(PushError::Machine)?;
                report
                    .steps
                    .splice(0..0, lacking.into_iter().map(Program::upload_step));
                Ok(report)
            }
            Launched::Lacking { .. } => Err(PushError::UploadGone),
        }
    }

    async fn launch(
        &self,
        remote: &Remote,
        renet: &str,
        traefik: Option<&Program>,
        options: &[&str],
        observer: &mut dyn Observer,
    ) -> Result<Launched, PushError> {
        let traefik = traefik.map(Program::remote_path).unwrap_or_default();
        let words: Vec<&str> = [renet, &traefik]
            .into_iter()
            .chain(options.iter().copied())
            .collect();
        let bundle = serde_json::to_vec(&self.bundle).map_err(PushError::Bundle)?;
        let mut end = None;
        let mut release = None;
        let mut programs = BTreeSet::new();
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
                    Err(_) => {
                        programs.insert(line.to_owned());
                    }
                },
            )
            .await?;
        if let Some(version) = release {
            return Err(PushError::NoTraefik { version });
        }
        match (exit.code, end) {
            (_, Some(end)) => Ok(Launched::Ended(end)),
            (LACKING, None) => Ok(Launched::Lacking {
                programs,
                architecture: exit.stderr,
            }),
            (_, None) => Err(PushError::remote(exit.stderr)),
        }
    }

    /// Our programs among the missing paths; none of them may be for another architecture.
    fn lacking(
        &self,
        paths: &BTreeSet<String>,
        architecture: &str,
    ) -> Result<Vec<&Program>, PushError> {
        let ours = [Some(&self.renet), self.traefik.as_ref()]
            .into_iter()
            .flatten();
        let lacking: Vec<_> = ours
            .filter(|program| paths.contains(&program.remote_path()))
            .collect();
        for program in &lacking {
            if program.architecture() != architecture {
                return Err(PushError::Architecture {
                    program: program.local().display().to_string(),
                    is_for: program.architecture().to_owned(),
                    machine: architecture.to_owned(),
                });
            }
        }
        Ok(lacking)
    }
}

enum Launched {
    Ended(Result<Report, Failure>),
    Lacking {
        programs: BTreeSet<String>,
        architecture: String,
    },
}

/// A `renet` in a folder of its own, for a dry run on a machine that has none.
struct Borrowed {
    path: String,
}

impl Borrowed {
    async fn upload(
        remote: &Remote,
        renet: &Program,
        observer: &mut dyn Observer,
    ) -> Result<Self, PushError> {
        let mut path = String::new();
        let exit = remote
            .run(
                UPLOAD_FOR_A_LOOK,
                &[],
                renet.open().await?,
                &mut |bytes| observer.sent(bytes),
                &mut |line| path = line.to_owned(),
            )
            .await?;
        if exit.code == 0 {
            Ok(Self { path })
        } else {
            Err(PushError::remote(exit.stderr))
        }
    }

    async fn remove(self, remote: &Remote) -> Result<(), PushError> {
        let words = [self.path.as_str()];
        remote
            .run(
                "rm -r \"${1%/*}\"",
                &words,
                tokio::io::empty(),
                &mut |_| {},
                &mut |_| {},
            )
            .await?;
        Ok(())
    }
}

async fn upload(
    remote: &Remote,
    program: &Program,
    observer: &mut dyn Observer,
) -> Result<(), PushError> {
    let path = program.remote_path();
    let words = [path.as_str(), program.sha256()];
    let input = program.open().await?;
    let mut sent = |bytes| observer.sent(bytes);
    let exit = remote
        .run(UPLOAD, &words, input, &mut sent, &mut |_| {})
        .await?;
    if exit.code == 0 {
        Ok(())
    } else {
        Err(PushError::remote(exit.stderr))
    }
}

/// Why a push did not get through.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The machine could not be reached, or was lost.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A program to bring cannot be used.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The machine said no.
    #[error("{}", .0.message)]
    Machine(Failure),
    /// `sudo` wants a password.
    #[error("`sudo` on the machine does not let this user in without a password: {0}")]
    Sudo(String),
    /// A program is for another kind of machine.
    #[error("{program} is for {is_for}, but the machine is {machine}")]
    Architecture {
        /// The local file.
        program: String,
        /// What it runs on.
        is_for: String,
        /// What the machine is.
        machine: String,
    },
    /// The machine lacks a release of Traefik.
    #[error("there is no Traefik {version} on the machine")]
    NoTraefik {
        /// Its version.
        version: String,
    },
    /// An uploaded program is not where it was written.
    #[error("an uploaded program was gone again before it could be run")]
    UploadGone,
    /// The bundle cannot be written as JSON: a defect of ours.
    #[error("the bundle cannot be written")]
    Bundle(#[source] serde_json::Error),
    /// The remote command ended without an answer.
    #[error("the command on the machine failed: {0}")]
    Command(String),
}

impl PushError {
    fn remote(stderr: String) -> Self {
        if stderr.starts_with("sudo:") {
            Self::Sudo(stderr)
        } else {
            Self::Command(if stderr.is_empty() {
                "it says nothing".to_owned()
            } else {
                stderr
            })
        }
    }
}
