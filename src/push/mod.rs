//! A bundle's way to a machine: the programs it lacks, then one `renet infra apply`.
//!
//! ```text
//! push   launch ─► done
//!               └► lacking: renet, or a named Traefik ─► upload ─┐
//!               └► lacking: a release ─► fetch ────────► upload ─┴► launch again
//!
//! look   launch ─► done
//!               └► lacking: renet ─► launch with one that is lent ─► done
//! ```
//!
//! The machine plans, because only it knows what it has: a push that finds everything in place is
//! one connection and one remote command.

mod call;
mod dialogue;
mod error;
mod launch;
mod lend;
mod options;
mod packing;
mod program;
mod renets;
mod root;
mod upload;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::bundle::{Bundle, Failure, FailureKind, Report, RunLine, Secrets, Step};
use crate::context::value::TraefikVersion;
use crate::release::{self, Architecture, Releases};
use crate::remote::Remote;
use launch::{By, Launch, Launched, Missing};
use upload::upload;

pub use call::{Call, Called, Remains};
pub use error::PushError;
pub use options::{Options, lock_wait_words};
pub use program::{Program, ProgramError};
pub use renets::{NoRenet, Renets};
pub use root::{NoRoot, NoRootCause};

/// The exit code by which a launcher says that a program is missing.
const LACKING: i32 = 69;

/// How often a push may launch: for what is on the machine, for a `renet` of its kind, for the
/// programs, for a release, and once more for what somebody removed meanwhile.
const MOST_LAUNCHES: usize = 5;

/// What a push brings.
#[derive(Debug)]
pub struct Delivery {
    /// What the machine shall become.
    pub bundle: Bundle,
    /// What nobody else may see of it.
    pub secrets: Secrets,
    /// The `renet` that does it and will run there, unless the machine is of another kind.
    pub renet: Program,
    /// The `renet`s for machines of another kind.
    pub renets: Renets,
    /// The Traefik to bring, if one was named.
    pub traefik: Option<Program>,
    /// Where a Traefik comes from that the machine lacks.
    pub releases: Arc<Releases>,
}

/// Who wants to see how a push goes on.
pub trait Observer: release::Observer {
    /// A step begins.
    fn step(&mut self, step: &Step);
    /// The upload that begins goes on behind what an earlier one brought.
    fn resumed(&mut self, bytes: u64);
    /// So many bytes of the program under way have gone.
    fn sent(&mut self, bytes: u64);
    /// The run of a repository printed a line.
    fn line(&mut self, line: &RunLine) {
        let _ = line;
    }
}

impl Delivery {
    /// Brings the machine to the bundle.
    pub async fn push(
        &self,
        remote: &Remote,
        options: &Options,
        observer: &mut dyn Observer,
    ) -> Result<Report, PushError> {
        let options = options.words();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut course = Course::of(self);
        for _ in 0..MOST_LAUNCHES {
            match course.launch(&options, false, remote, observer).await? {
                Launched::Ended(end, _) => return course.end(end),
                Launched::LackingPrograms {
                    paths,
                    architecture,
                } => {
                    if course.take_renet_of(architecture)? {
                        continue;
                    }
                    for program in course.among(&paths)? {
                        course.upload(&program, remote, observer).await?;
                    }
                }
                Launched::LackingRelease(version) => {
                    let program = course.fetch(&version, observer).await?;
                    course.upload(&program, remote, observer).await?;
                }
            }
        }
        Err(PushError::NoEnd(MOST_LAUNCHES))
    }

    /// Says what a push would do, and changes nothing.
    pub async fn dry_run(
        &self,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Report, PushError> {
        Course::of(self).look(remote, observer).await
    }
}

/// A push on its way: what has turned out so far.
struct Course<'a> {
    delivery: &'a Delivery,
    /// The `renet` for this machine, as far as the machine is known.
    renet: Program,
    /// What is asked of the machine.
    bundle: Bundle,
    /// What was brought, or would be.
    steps: Vec<Step>,
}

impl<'a> Course<'a> {
    /// How a look is launched.
    const LOOK: [&'static str; 2] = ["--dry-run", "--diff"];

    fn of(delivery: &'a Delivery) -> Self {
        Self {
            delivery,
            renet: delivery.renet.clone(),
            bundle: delivery.bundle.clone(),
            steps: Vec::new(),
        }
    }

    /// Launches the `renet` on the machine.
    async fn launch(
        &self,
        options: &[&str],
        look: bool,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Launched, PushError> {
        let renet = self.renet.remote_path();
        let traefik = self.delivery.traefik.as_ref().map(Program::remote_path);
        let by = By::Its {
            renet: &renet,
            traefik: traefik.as_deref(),
            look,
        };
        self.launch_by(by, options, remote, observer).await
    }

    async fn launch_by(
        &self,
        by: By<'_>,
        options: &[&str],
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Launched, PushError> {
        let launch = Launch {
            options,
            bundle: &self.bundle,
            secrets: &self.delivery.secrets,
        };
        launch.run(by, remote, observer).await
    }

    /// What a push would do from here on.
    async fn look(
        mut self,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Report, PushError> {
        let mut launched = self.launch(&Self::LOOK, true, remote, observer).await?;
        if let Launched::LackingPrograms { architecture, .. } = launched
            && self.take_renet_of(architecture)?
        {
            launched = self.launch(&Self::LOOK, true, remote, observer).await?;
        }
        if let Launched::LackingPrograms {
            paths,
            architecture,
        } = launched
        {
            if self.take_renet_of(architecture)? {
                return Err(PushError::NoEnd(2));
            }
            for program in self.among(&paths)? {
                self.will(program.upload_step());
            }
            launched = self.look_by_lent(remote, observer).await?;
        }
        let Launched::Ended(end, Missing { paths, release }) = launched else {
            return Err(PushError::Command("it does not look".to_owned()));
        };
        for program in self.among(&paths)? {
            self.will(program.upload_step());
        }
        if let Some(version) = release {
            self.will_bring(&version)?;
        }
        self.end(end)
    }

    async fn look_by_lent(
        &self,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Launched, PushError> {
        let by = By::Lent(&self.renet);
        self.launch_by(by, &Self::LOOK, remote, observer).await
    }

    /// Takes the `renet` for an architecture, which may be there already. Answers whether it is
    /// another one than before.
    fn take_renet_of(&mut self, architecture: Architecture) -> Result<bool, PushError> {
        if self.renet.architecture() == architecture {
            return Ok(false);
        }
        self.renet = self.delivery.renets.of(architecture)?;
        self.bundle.renet = self.renet.remote_path().into();
        Ok(true)
    }

    /// Our programs among the missing paths; none of them may be for another architecture.
    fn among(&self, paths: &BTreeSet<String>) -> Result<Vec<Program>, PushError> {
        let machine = self.renet.architecture();
        let ours = [Some(&self.renet), self.delivery.traefik.as_ref()];
        let lacking: Vec<Program> = ours
            .into_iter()
            .flatten()
            .filter(|program| paths.contains(&program.remote_path()))
            .cloned()
            .collect();
        for program in &lacking {
            if program.architecture() != machine {
                return Err(PushError::Architecture {
                    program: program.local().display().to_string(),
                    is_for: program.architecture(),
                    machine,
                });
            }
        }
        Ok(lacking)
    }

    /// Brings a release to the workstation. The `renet` that asked for it ran on the machine, so
    /// the machine is what that one is for.
    async fn fetch(
        &mut self,
        version: &TraefikVersion,
        observer: &mut dyn Observer,
    ) -> Result<Program, PushError> {
        let architecture = self.renet.architecture();
        let releases = &self.delivery.releases;
        if releases.cached(version, architecture).is_none() {
            let step = Step::Download {
                version: version.to_string(),
            };
            observer.step(&step);
            self.steps.push(step);
        }
        let local = releases.fetch(version, architecture, observer).await?;
        Ok(Program::release(version, &local)?)
    }

    async fn upload(
        &mut self,
        program: &Program,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<(), PushError> {
        let step = program.upload_step();
        if self.steps.contains(&step) {
            let path = program.remote_path();
            return Err(PushError::UploadGone { path });
        }
        observer.step(&step);
        self.will(step);
        match upload(remote, program, observer).await {
            Err(error @ (PushError::Command(_) | PushError::NotRunnable { .. })) => {
                Err(self.refusal(remote, observer).await.unwrap_or(error))
            }
            uploaded => uploaded,
        }
    }

    /// What the machine itself finds wrong, where a program does not get to its place: the same
    /// that a dry run says.
    async fn refusal(&self, remote: &Remote, observer: &mut dyn Observer) -> Option<PushError> {
        let launched = self.look_by_lent(remote, observer).await;
        match launched {
            Ok(Launched::Ended(Err(failure), _)) if failure.kind == FailureKind::Refused => {
                Some(PushError::Machine(failure))
            }
            _ => None,
        }
    }

    /// Notes the release that would be brought.
    fn will_bring(&mut self, version: &TraefikVersion) -> Result<(), PushError> {
        let architecture = self.renet.architecture();
        let local = self.delivery.releases.cached(version, architecture);
        let upload = match local {
            Some(local) => Program::release(version, &local)?.upload_step(),
            None => {
                self.will(Step::Download {
                    version: version.to_string(),
                });
                Step::Upload {
                    path: program::release_path(version),
                    bytes: None,
                }
            }
        };
        self.will(upload);
        Ok(())
    }

    /// Notes what is brought.
    fn will(&mut self, step: Step) {
        if !self.steps.contains(&step) {
            self.steps.push(step);
        }
    }

    /// The machine's report, with what it was brought before its own steps.
    fn end(self, end: Result<Report, Failure>) -> Result<Report, PushError> {
        let mut report = end.map_err(PushError::Machine)?;
        report.steps.splice(0..0, self.steps);
        Ok(report)
    }
}
