//! A bundle's way to a machine: the programs it lacks, then one `renet infra apply` with the
//! bundle on its standard input.
//!
//! ```text
//! launch ─► done
//!        └► lacking: renet, or a named Traefik ─► upload ─┐
//!        └► lacking: a release ─► fetch ────────► upload ─┴► launch again
//! ```
//!
//! The machine plans, because only it knows what it has: a push that finds everything in place is
//! one connection and one remote command.

mod call;
mod error;
mod launch;
mod look;
mod options;
mod packing;
mod program;
mod renets;
mod upload;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::bundle::{Bundle, Report, Step, TraefikSource};
use crate::context::value::TraefikVersion;
use crate::release::{self, Architecture, Releases};
use crate::remote::Remote;
use launch::{Launch, Launched};
use look::Borrowed;
use upload::upload;

pub use call::{Call, Called, Remains};
pub use error::PushError;
pub use options::{Options, lock_wait_words};
pub use program::{Program, ProgramError};
pub use renets::{NoRenet, Renets};

/// The exit code by which a launcher says that a program is missing.
const LACKING: i32 = 69;

/// What a push brings.
#[derive(Debug)]
pub struct Delivery {
    /// What the machine shall become.
    pub bundle: Bundle,
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
        loop {
            let renet = course.renet.remote_path();
            match course.launch(&renet, &options, remote, observer).await? {
                Launched::Ended(end) => {
                    return end
                        .map(|report| course.report(report))
                        .map_err(PushError::Machine);
                }
                Launched::LackingPrograms {
                    paths,
                    architecture,
                } => {
                    for program in course.lacking(&paths, architecture)? {
                        course.upload(&program, remote, observer).await?;
                    }
                }
                Launched::LackingRelease(version) => {
                    let program = course.fetch(&version, observer).await?;
                    course.upload(&program, remote, observer).await?;
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
        let mut borrowed = None;
        let report = self.look(&mut borrowed, remote, observer).await;
        if let Some(borrowed) = borrowed {
            borrowed.remove(remote).await?;
        }
        report
    }

    async fn look(
        &self,
        borrowed: &mut Option<Borrowed>,
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Report, PushError> {
        let mut course = Course::of(self);
        loop {
            let renet = match borrowed {
                Some(borrowed) => borrowed.path().to_owned(),
                None => course.renet.remote_path(),
            };
            match course
                .launch(&renet, &["--dry-run", "--diff"], remote, observer)
                .await?
            {
                Launched::Ended(end) => {
                    return end
                        .map(|report| course.report(report))
                        .map_err(PushError::Machine);
                }
                Launched::LackingPrograms {
                    paths,
                    architecture,
                } => {
                    let lacking = course.lacking(&paths, architecture)?;
                    if !lacking.is_empty() {
                        // A Traefik to bring need not be there for a look at what would be.
                        course.traefik = None;
                    }
                    for program in lacking {
                        course.will(program.upload_step())?;
                        if program == course.renet {
                            *borrowed = Some(Borrowed::upload(remote, &program, observer).await?);
                        }
                    }
                }
                Launched::LackingRelease(version) => course.will_bring(&version)?,
            }
        }
    }
}

/// A push on its way: what has turned out so far.
struct Course<'a> {
    delivery: &'a Delivery,
    /// The `renet` for this machine, as far as the machine is known.
    renet: Program,
    /// What is asked of the machine.
    bundle: Bundle,
    /// The Traefik that has to be there first.
    traefik: Option<&'a Program>,
    /// What was brought, or would be.
    steps: Vec<Step>,
}

impl<'a> Course<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        Self {
            delivery,
            renet: delivery.renet.clone(),
            bundle: delivery.bundle.clone(),
            traefik: delivery.traefik.as_ref(),
            steps: Vec::new(),
        }
    }

    async fn launch(
        &self,
        renet: &str,
        options: &[&str],
        remote: &Remote,
        observer: &mut dyn Observer,
    ) -> Result<Launched, PushError> {
        let traefik = self.traefik.map(Program::remote_path);
        let launch = Launch {
            renet,
            traefik: traefik.as_deref(),
            options,
            bundle: &self.bundle,
        };
        launch.run(remote, observer).await
    }

    /// Our programs among the missing paths; none of them may be for another architecture. Where
    /// `renet` is, another one is chosen, which may be there already.
    fn lacking(
        &mut self,
        paths: &BTreeSet<String>,
        architecture: Architecture,
    ) -> Result<Vec<Program>, PushError> {
        if self.renet.architecture() != architecture {
            self.renet = self.delivery.renets.of(architecture)?;
            self.bundle.renet = self.renet.remote_path().into();
            return Ok(Vec::new());
        }
        let ours = [Some(&self.renet), self.traefik].into_iter().flatten();
        let lacking: Vec<Program> = ours
            .filter(|program| paths.contains(&program.remote_path()))
            .cloned()
            .collect();
        for program in &lacking {
            if program.architecture() != architecture {
                return Err(PushError::Architecture {
                    program: program.local().display().to_string(),
                    is_for: program.architecture(),
                    machine: architecture,
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
        self.will(step.clone())?;
        observer.step(&step);
        upload(remote, program, observer).await
    }

    /// Notes the release that would be brought, and goes on as if it had been.
    fn will_bring(&mut self, version: &TraefikVersion) -> Result<(), PushError> {
        let architecture = self.renet.architecture();
        let path = program::release_path(version);
        let local = self.delivery.releases.cached(version, architecture);
        let upload = match local {
            Some(local) => Program::release(version, &local)?.upload_step(),
            None => {
                self.steps.push(Step::Download {
                    version: version.to_string(),
                });
                Step::Upload {
                    path: path.clone(),
                    bytes: None,
                }
            }
        };
        self.will(upload)?;
        self.bundle.traefik = TraefikSource::Brought(path);
        Ok(())
    }

    /// Notes what is brought, which is done once.
    fn will(&mut self, step: Step) -> Result<(), PushError> {
        if self.steps.contains(&step) {
            return Err(PushError::UploadGone);
        }
        self.steps.push(step);
        Ok(())
    }

    /// The machine's report, with what it was brought before its own steps.
    fn report(self, mut report: Report) -> Report {
        report.steps.splice(0..0, self.steps);
        report
    }
}
