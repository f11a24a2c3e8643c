//! `renet repo up`: brings a repository up, in a run.
//!
//! ```text
//! mount, daemon ─► slots ─► prep A–Z ─► slots ─► up: root, A–Z ─► record ─► answers ─► routes
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use super::answers::{self, Answer};
use super::rediaccfile::{self, Called, Found, Rediaccfile, Surroundings};
use super::run::{self, Follower, Said, Work};
use super::{docker, engine, find, routes, storage};
use crate::bundle::{
    Failure, FunctionFailure, RepositoryAnswer, ServiceProblem, ServiceReport, Task, UpReport,
};
use crate::compose;
use crate::machine::refused;
use crate::machine::workstation::Workstation;
use crate::repository::daemon;
use crate::repository::{Entry, Record, RepositoryName, Slots, variables};

/// How many log lines are shown of a service that is not up.
const LOG_LINES: usize = 20;

/// The options of `renet repo up`.
#[derive(Debug, Args)]
pub(super) struct Up {
    /// The repository
    name: RepositoryName,
    /// Mount the repository and start its daemon, if necessary
    #[arg(long)]
    mount: bool,
    /// Stop after `prep`
    #[arg(long)]
    prep_only: bool,
    /// Do not wait for the run to end
    #[arg(long)]
    detach: bool,
    /// How many seconds to wait for services, and then for their public addresses
    #[arg(long, value_name = "SECONDS", default_value_t = run::TIMEOUT_S)]
    timeout: u64,
    /// Let services reach the machine, from now on
    #[arg(long = "unsafe")]
    allows_unsafe: bool,
}

impl Up {
    pub(super) fn run(self, workstation: Workstation) -> Result<RepositoryAnswer, Failure> {
        let Self {
            name,
            mount,
            prep_only,
            detach,
            timeout,
            allows_unsafe,
        } = self;
        workstation.secrets()?;
        let entry = find(&name)?;
        let work = Work {
            mount,
            prep_only,
            allows_unsafe,
            timeout,
            ..Work::of(Task::Up)
        };
        let follower = Follower::of(workstation, detach);
        run::start_or_join(&name, &entry, &work, follower, || {
            if mount {
                Ok(())
            } else {
                is_started(&name, &entry)
            }
        })
    }
}

/// Refuses a repository that is not mounted, or whose daemon does not run.
pub(super) fn is_started(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let what = if !storage::is_mounted(name, entry)? {
        "is not mounted"
    } else if !engine::is_running(entry.network_id)? {
        "is mounted, but its daemon is not running"
    } else {
        return Ok(());
    };
    Err(refused(format!("repository `{name}` {what}")).hint(format!(
        "`rdc repo up {name} -m MACHINE --mount` mounts it and starts its daemon"
    )))
}

/// Starts a run that brings up, after a boot, a repository that was up. It skips `prep`, whose results
/// are still there.
pub(super) fn restore(name: &RepositoryName, entry: &Entry) -> Result<(), Failure> {
    let work = Work {
        mount: true,
        no_prep: true,
        ..Work::of(Task::Up)
    };
    run::start_or_join(name, entry, &work, Follower::Nobody, || Ok(())).map(drop)
}

/// Does the work of a run.
pub(super) fn carry_out(
    name: &RepositoryName,
    entry: &Entry,
    work: &Work,
    said: &mut Said,
) -> Result<UpReport, Failure> {
    if work.allows_unsafe && !entry.allows_unsafe {
        record(name, |entry| entry.allows_unsafe = true)?;
    }
    if work.mount {
        said.step(None, "mount the repository and start its daemon");
        engine::start(name, entry)?;
    } else {
        is_started(name, entry)?;
    }
    let mut repository = Repository::of(name, entry)?;
    repository
        .found
        .rediaccfiles(&repository.surroundings.root)?;
    said.step(None, "assign addresses");
    // `prep` may create files without which Compose cannot read the project yet.
    let mut warnings = repository.assign_slots()?;
    if !work.no_prep {
        for file in repository.found.rediaccfiles.clone() {
            if let Some(failure) = repository.call(&file, "prep", said)? {
                warnings
                    .push("nothing was brought up: a failure in `prep` stops the run".to_owned());
                return Ok(stopped(failure, warnings));
            }
        }
        repository.found = rediaccfile::find(&repository.surroundings.root)?;
        warnings = repository.assign_slots()?;
    }
    if work.prep_only {
        return Ok(UpReport {
            warnings,
            ..UpReport::default()
        });
    }
    let mut failures = Vec::new();
    for file in repository.found.rediaccfiles.clone() {
        match repository.call(&file, "up", said)? {
            Some(failure) if file.folder.is_none() => {
                let mut rest = repository.found.rediaccfiles.iter();
                if rest.any(|file| file.folder.is_some()) {
                    warnings.push(
                        "no folder was brought up: a failure of the root Rediaccfile stops the run"
                            .to_owned(),
                    );
                }
                return Ok(stopped(failure, warnings));
            }
            failure => failures.extend(failure),
        }
    }
    record(name, |entry| entry.up = true)?;
    said.step(None, "wait for the services");
    repository.report(work, failures, warnings, said)
}

/// The report of a run that a failure stopped.
fn stopped(failure: FunctionFailure, warnings: Vec<String>) -> UpReport {
    UpReport {
        failures: vec![failure],
        warnings,
        ..UpReport::default()
    }
}

/// Changes the record of a repository.
pub(super) fn record(
    name: &RepositoryName,
    change: impl FnOnce(&mut Entry),
) -> Result<(), Failure> {
    Record::of_machine().edit(|registry| {
        // It cannot be deleted while a run is in progress.
        if let Some(entry) = registry.repositories.get_mut(name) {
            change(entry);
        }
        Ok(())
    })
}

/// A repository, as a run works on it.
pub(super) struct Repository {
    pub(super) found: Found,
    pub(super) surroundings: Surroundings,
}

impl Repository {
    /// Finds the Rediaccfiles of a mounted repository.
    pub(super) fn of(name: &RepositoryName, entry: &Entry) -> Result<Self, Failure> {
        let root = entry.path(name);
        let renet = super::own_program()?;
        let mut repository = Self {
            found: rediaccfile::find(&root)?,
            surroundings: Surroundings {
                name: name.clone(),
                network_id: entry.network_id,
                socket: daemon::socket(entry.network_id),
                programs: renet.parent().map(PathBuf::from).unwrap_or_default(),
                root,
                addresses: Default::default(),
            },
        };
        repository.read_slots()?;
        Ok(repository)
    }

    /// Assigns an address to each service. Returns a warning for each folder that Compose cannot read.
    fn assign_slots(&mut self) -> Result<Vec<String>, Failure> {
        let mut warnings = Vec::new();
        for project in &self.found.projects {
            let Surroundings {
                root, network_id, ..
            } = &self.surroundings;
            if let Err(refusal) = compose::assign_slots(root, project, *network_id) {
                let hint = refusal
                    .hint
                    .map(|hint| format!(": {hint}"))
                    .unwrap_or_default();
                warnings.push(format!("{}{hint}", refusal.message));
            }
        }
        self.read_slots()?;
        Ok(warnings)
    }

    fn read_slots(&mut self) -> Result<Slots, Failure> {
        let slots = Slots::read(&self.surroundings.root)?;
        self.surroundings.addresses = variables(&slots, self.surroundings.network_id)
            .into_iter()
            .map(|(variable, address)| (variable, address.to_string()))
            .collect();
        Ok(slots)
    }

    /// Calls a function of a Rediaccfile, if it has it, and passes on its output.
    pub(super) fn call(
        &self,
        file: &Rediaccfile,
        function: &str,
        said: &mut Said,
    ) -> Result<Option<FunctionFailure>, Failure> {
        let step = format!("{function} of {}", file.name());
        let called = rediaccfile::call(file, function, &self.surroundings, step, &mut |line| {
            said.line(line);
        })?;
        Ok(match called {
            Called::Missing | Called::Done => None,
            Called::Failed(failure) => {
                said.step(file.folder.as_deref(), failure.to_string());
                Some(failure)
            }
        })
    }

    /// Waits for services and routes, and reports on them.
    fn report(
        &mut self,
        work: &Work,
        failures: Vec<FunctionFailure>,
        mut warnings: Vec<String>,
        said: &mut Said,
    ) -> Result<UpReport, Failure> {
        let id = self.surroundings.network_id;
        // Read again: a Rediaccfile may use a Compose file elsewhere, whose services got slots in `up`.
        let slots = self.read_slots()?;
        let mut answers = answers::wait(id, &slots, work.patience())?;
        if answers.is_empty() && failures.is_empty() {
            warnings.push(
                "no service has a container: `up` in the Rediaccfile should start them with `renet \
                 compose -- up -d` does"
                    .to_owned(),
            );
        }
        let mut routes = routes::wait(id, &answers, work.patience(), said);
        answers::look_again(id, &mut answers)?;
        warnings.append(&mut routes.warnings);
        for answer in &answers {
            let name = &answer.service.name;
            warnings.extend(answer.note.iter().map(|note| format!("{name}: {note}")));
        }
        let services = answers.into_iter().map(|answer| {
            let own = routes.services.remove(&answer.service.container.name);
            service_report(answer, own.unwrap_or_default(), &self.surroundings)
        });
        let services = services.collect();
        // Several services may have the same warning.
        let mut seen = BTreeSet::new();
        warnings.retain(|warning| seen.insert(warning.clone()));
        Ok(UpReport {
            services,
            failures,
            warnings,
        })
    }
}

fn service_report(
    answer: Answer,
    routes: routes::OfService,
    surroundings: &Surroundings,
) -> ServiceReport {
    let Answer {
        service,
        ports,
        problem,
        note: _,
    } = answer;
    let container = &service.container.name;
    let problem = problem.or(routes.problem).map(|message| ServiceProblem {
        message,
        log: docker::log(surroundings.network_id, container, LOG_LINES),
        explanation: routes::explain(container),
    });
    ServiceReport {
        name: service.name,
        address: service.address,
        ports,
        routes: routes.routes,
        problem,
        rejections: routes.rejections,
    }
}
