//! The transaction: what is on the machine becomes what the bundle says, step by step.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::generation::{self, Generation, Live};
use super::lock::Lock;
use super::plan::{self, Observed, UNITS};
use super::{failed, files, preflight, probe, refused, systemd};
use crate::bundle::{Bundle, Failure, Message, Report, Step};
use crate::layout;

/// Brings the machine to the bundle, telling each step before it is done.
pub(super) fn apply(
    bundle: &Bundle,
    dry_run: bool,
    tell: &mut dyn FnMut(&Message),
) -> Result<Report, Failure> {
    preflight::machine()?;
    let _lock = if dry_run { None } else { Some(lock()?) };
    let live = generation::live()?;
    let current = live.as_ref().map(|live| &live.generation);
    let traefik = preflight::traefik(bundle, current, dry_run)?;
    preflight::binds(bundle, current)?;

    let wanted = Generation::of(bundle, &traefik)?;
    let next = generation::next_number()?;
    let (observed, warnings) = observe(live.as_ref())?;
    let steps = plan::plan(&wanted, &observed, next);
    let live_number = live.as_ref().map(|live| live.number);
    if dry_run || steps.is_empty() {
        return Ok(Report {
            generation: live_number,
            steps,
            warnings,
        });
    }

    let mut run = Run {
        wanted: &wanted,
        number: live_number.unwrap_or(next),
        staged: None,
        reload: false,
    };
    for step in &steps {
        tell(&Message::Doing(step.clone()));
        run.carry_out(step)?;
    }
    generation::mark_applied(run.number)?;
    Ok(Report {
        generation: Some(run.number),
        steps,
        warnings,
    })
}

fn lock() -> Result<Lock, Failure> {
    files::make_dir(Path::new(layout::ETC))?;
    Lock::take()
}

/// Looks at everything that the plan depends on.
fn observe(live: Option<&Live>) -> Result<(Observed<'_>, Vec<String>), Failure> {
    let mut warnings = Vec::new();
    let mut installed = BTreeMap::new();
    for (name, path) in plan::installed_paths() {
        if let Some(content) = files::read(&path)? {
            installed.insert(name, content);
        }
    }
    let renet_link = Path::new(layout::RENET_LINK);
    let target = files::read_link(renet_link)?;
    let is_foreign = renet_link.exists() && target.is_none();
    if is_foreign {
        warnings.push(format!(
            "{} is a file of somebody else's: it was left as it is",
            layout::RENET_LINK
        ));
    }
    let renet_linked = is_foreign || target == Some(renet_target());
    let observed = Observed {
        current: live.map(|live| &live.generation),
        applied: live.is_some_and(|live| live.applied),
        installed,
        renet_linked,
        units: systemd::states(UNITS)?,
    };
    Ok((observed, warnings))
}

/// What people's `renet` is: whatever generation is live.
fn renet_target() -> PathBuf {
    Path::new(layout::CURRENT).join(layout::RENET)
}

/// A plan on its way.
struct Run<'a> {
    wanted: &'a Generation,
    /// The generation that is live now.
    number: u32,
    /// The new generation's folder, once it is written.
    staged: Option<PathBuf>,
    /// Whether systemd has yet to read units that were installed.
    reload: bool,
}

impl Run<'_> {
    fn carry_out(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Create { .. } | Step::Update { .. } | Step::Remove { .. } => {
                // All files of a generation are written at once, at the first one's turn.
                self.staged().map(drop)
            }
            Step::Check { file } => {
                let config = self.staged()?.join(file);
                self.check(&config)
            }
            Step::Switch { generation } => {
                files::make_dir(Path::new(layout::DYNAMIC_DIR))?;
                keep_acme_storage_private()?;
                generation::switch(&self.staged()?, *generation)?;
                self.staged = None;
                self.number = *generation;
                Ok(())
            }
            Step::Install { path } => self.install(path),
            Step::Enable { unit } => {
                self.reload()?;
                systemd::systemctl(&["enable", unit])
            }
            Step::Start { unit } => {
                self.reload()?;
                start("start", unit)
            }
            Step::Restart { unit } => {
                self.reload()?;
                if unit == layout::ROUTER_SOCKET {
                    // systemd refuses to open a socket while its service has the former one.
                    systemd::systemctl(&["stop", layout::ROUTER_SERVICE])?;
                }
                start("restart", unit)
            }
            Step::Probe => probe::wait(),
            // The workstation's part.
            Step::Upload { .. } => Ok(()),
        }
    }

    fn staged(&mut self) -> Result<PathBuf, Failure> {
        if let Some(folder) = &self.staged {
            return Ok(folder.clone());
        }
        let folder = generation::stage(self.wanted)?;
        self.staged = Some(folder.clone());
        Ok(folder)
    }

    /// Has the new Traefik parse its new static configuration: its health check does so, strictly,
    /// and opens no port. It says in text, not by its exit code, what it thought.
    fn check(&self, config: &Path) -> Result<(), Failure> {
        let traefik = self
            .wanted
            .link(layout::TRAEFIK)
            .unwrap_or(Path::new(layout::TRAEFIK));
        let output = Command::new(traefik)
            .arg("healthcheck")
            .arg(format!("--configFile={}", config.display()))
            .env_clear()
            .output()
            .map_err(|error| refused(format!("cannot run {}: {error}", traefik.display())))?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let was_read = output.status.success()
            || [
                "OK: ",
                "Error calling healthcheck",
                "Bad healthcheck status",
            ]
            .iter()
            .any(|start| stdout.starts_with(start));
        if was_read {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let reason = stderr
            .lines()
            .chain(stdout.lines())
            .rfind(|line| !line.is_empty());
        Err(refused(format!(
            "{} refuses the new {}: {}",
            traefik.display(),
            layout::TRAEFIK_YML,
            reason.unwrap_or("it says nothing")
        ))
        .hint("nothing was changed; rdc's templates are for Traefik 3.7 and later"))
    }

    /// Once for all the units that were installed.
    fn reload(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.reload) {
            systemd::systemctl(&["daemon-reload"])?;
        }
        Ok(())
    }

    fn install(&mut self, path: &Path) -> Result<(), Failure> {
        if path == Path::new(layout::RENET_LINK) {
            return files::link(path, &renet_target());
        }
        let installed = plan::installed_paths();
        let Some(name) = installed
            .iter()
            .find_map(|(name, at)| (at == path).then_some(*name))
        else {
            return Err(failed(format!("{} is not a file of ours", path.display())));
        };
        if let Some(folder) = path.parent() {
            files::make_dir(folder)?;
        }
        files::write(path, self.wanted.file(name).unwrap_or_default(), 0o644)?;
        if name == layout::SYSUSERS_CONF {
            return systemd::make_users(path);
        }
        self.reload = true;
        Ok(())
    }
}

fn start(verb: &str, unit: &str) -> Result<(), Failure> {
    systemd::systemctl(&[verb, unit]).map_err(|_| {
        let mut failure = failed(format!("{unit} did not come up")).hint(format!(
            "`systemctl status {unit}` on the machine shows more"
        ));
        failure.journal = systemd::journal(unit);
        failure
    })
}

/// Traefik runs on *without certificates* where others can read its storage.
fn keep_acme_storage_private() -> Result<(), Failure> {
    let storage = Path::new(layout::ACME_STORAGE);
    let private = fs::Permissions::from_mode(0o600);
    match fs::metadata(storage) {
        Ok(file) if file.permissions().mode() & 0o7777 != 0o600 => {
            fs::set_permissions(storage, private).map_err(|error| {
                failed(format!(
                    "cannot make {} private: {error}",
                    storage.display()
                ))
            })
        }
        _ => Ok(()),
    }
}
