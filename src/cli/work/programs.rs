//! The programs that a push brings: which ones, by the options and the context, and what to do
//! where one cannot be had.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::bundle::TraefikSource;
use crate::cli::failure::{Exit, Failure};
use crate::context::value::TraefikVersion;
use crate::context::{Context, Infra};
use crate::layout;
use crate::push::{NoRenet, Program, ProgramError, PushError, Renets};
use crate::release::{ReleaseError, Releases};

/// Which Traefik the machine shall run.
#[derive(clap::Args, Debug)]
pub(crate) struct TraefikOptions {
    #[arg(long, value_name = "VERSION", help = traefik_version_help())]
    traefik_version: Option<TraefikVersion>,
    /// The Traefik to run, from this workstation, instead of a release
    #[arg(long, value_name = "PATH", conflicts_with = "traefik_version")]
    traefik_binary: Option<PathBuf>,
}

fn traefik_version_help() -> String {
    format!(
        "The release of Traefik to run [default: the context's, else the machine's, else {}]",
        layout::TRAEFIK_VERSION
    )
}

impl TraefikOptions {
    /// The Traefik to bring, if one was named.
    pub(crate) fn program(&self) -> Result<Option<Program>, Failure> {
        let read = |path: &PathBuf| {
            Program::read(layout::TRAEFIK, path).map_err(|error| {
                Failure::caused(Exit::Invalid, &error).hint("give --traefik-binary a Traefik")
            })
        };
        self.traefik_binary.as_ref().map(read).transpose()
    }

    /// What the machine is asked for: the named program, else the version of the option, else the
    /// context's, else whatever it has or the default one.
    pub(crate) fn source(
        &self,
        program: Option<&Program>,
        infra: &Infra,
    ) -> Result<TraefikSource, Failure> {
        if let Some(program) = program {
            return Ok(TraefikSource::Brought(program.remote_path().into()));
        }
        let asked = self.traefik_version.as_ref();
        match asked.or(infra.traefik_version.as_ref()) {
            Some(version) if version.is_supported() => Ok(TraefikSource::Release {
                version: version.to_string(),
                asked: true,
            }),
            Some(version) => Err(Failure::new(
                Exit::Invalid,
                format!("Traefik {version} cannot read the configuration that is pushed"),
            )
            .hint(format!(
                "ask for {} or later with `--traefik-version` or `rdc context set-infra`",
                TraefikVersion::OLDEST
            ))),
            None => Ok(TraefikSource::Release {
                version: layout::TRAEFIK_VERSION.to_owned(),
                asked: false,
            }),
        }
    }
}

/// The `renet`s at hand: the context's, else the one beside `rdc`; those for other machines beside
/// either.
pub(crate) fn renets(context: &Context) -> Result<Renets, Failure> {
    let own = std::env::current_exe().context("cannot tell where `rdc` is")?;
    let folder = own.parent().unwrap_or(Path::new("/"));
    let usual = match &context.renet_path {
        Some(path) => path.clone(),
        None => folder.join(layout::RENET),
    };
    Ok(Renets::new(usual, folder))
}

/// The `renet` to begin with.
pub(crate) fn renet(renets: &Renets) -> Result<Program, Failure> {
    renets.usual().map_err(|error: ProgramError| {
        Failure::caused(Exit::Failed, &error).hint(
            "`renet` belongs beside `rdc`; or name one with `rdc context create-local … \
             --renet-path`",
        )
    })
}

/// Where releases of Traefik come from.
pub(crate) fn releases() -> Result<Arc<Releases>, Failure> {
    let releases = Releases::of_user().map_err(|error| no_release(&error))?;
    Ok(Arc::new(releases))
}

/// The failure of a push that did not get as far as the machine's own work.
pub(crate) fn failure(error: &PushError) -> Failure {
    let refused = || Failure::caused(Exit::Refused, error);
    match error {
        PushError::NoRenet(NoRenet {
            architecture,
            place,
        }) => refused().hint(format!(
            "build one, `cargo build --release --bin renet --target \
             {architecture}-unknown-linux-gnu`, and put it at {}",
            place.display()
        )),
        PushError::Architecture { machine, .. } => refused().hint(format!(
            "name a Traefik for {machine}, or leave --traefik-binary out to have one downloaded"
        )),
        PushError::UnknownArchitecture(_) => {
            refused().hint("`rdc` and Traefik's releases are for x86_64 and aarch64")
        }
        PushError::NoRoom(_) => refused().hint("make room there, then run this again"),
        PushError::NotRunnable { path } => refused().hint(mount_exec(path)),
        PushError::NowhereToRun(_) => refused().hint(
            "`mount -o remount,exec /tmp` on the machine makes one, or `rm` makes room where some is \
             missing",
        ),
        PushError::UploadGone { .. } => Failure::caused(Exit::Failed, error)
            .hint("see who removes it, as a job that cleans up, then run this again"),
        PushError::Damaged { .. } => Failure::caused(Exit::Failed, error)
            .hint("nothing was installed; run this again, and check the machine's disk"),
        PushError::Release(error) => no_release(error),
        error => Failure::caused(Exit::Failed, error),
    }
}

/// How a program comes to run that lies on a file system without them.
pub(crate) fn mount_exec(path: &str) -> String {
    format!(
        "`findmnt --target {path}` on the machine shows where it lies: where that is `noexec`, \
         `mount -o remount,exec` with its TARGET changes it"
    )
}

fn no_release(error: &ReleaseError) -> Failure {
    const BRING: &str = "bring a Traefik from elsewhere with `--traefik-binary PATH`";
    let (exit, hint) = match error {
        ReleaseError::Site { .. } => (
            Exit::Invalid,
            "give an https address, as https://mirror.example.com/traefik; http is for loopback \
             alone"
                .to_owned(),
        ),
        ReleaseError::NoHome => (Exit::Failed, "set HOME or XDG_CACHE_HOME".to_owned()),
        ReleaseError::NoVersion { .. } => (
            Exit::Failed,
            format!("ask for another one with `--traefik-version VERSION`, or {BRING}"),
        ),
        ReleaseError::NoAnswer { .. }
        | ReleaseError::Status { .. }
        | ReleaseError::BrokenOff { .. } => (
            Exit::Failed,
            format!(
                "run this again when the network is there (HTTPS_PROXY and a mirror in \
                 REDIACC_TRAEFIK_RELEASES are used), or {BRING}"
            ),
        ),
        ReleaseError::NoList { .. } => (
            Exit::Failed,
            format!("a proxy or a log-in page may answer in the site's place; or {BRING}"),
        ),
        ReleaseError::WrongChecksum { .. } => (
            Exit::Failed,
            format!(
                "nothing was kept or installed; somebody may be in between: run this again from \
                 another network, or {BRING}"
            ),
        ),
        ReleaseError::Write { .. } | ReleaseError::Cache { .. } => (
            Exit::Failed,
            "make it writable and make room; XDG_CACHE_HOME moves it".to_owned(),
        ),
        ReleaseError::Tls(_)
        | ReleaseError::NotMade { .. }
        | ReleaseError::TooLarge { .. }
        | ReleaseError::Archive { .. } => (Exit::Failed, BRING.to_owned()),
    };
    Failure::caused(exit, error).hint(hint)
}
