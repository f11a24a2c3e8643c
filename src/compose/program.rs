//! Docker Compose itself: finds it, sets its environment, asks it for the model, and executes it in
//! place of this process.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};

use super::files;
use super::line::Line;
use super::model::Model;
use super::place::Place;
use super::refusal::Refusal;
use crate::repository::daemon::{docker_host, socket};

/// Where Docker's client looks for plugins, beside the user's own folder.
const PLUGIN_FOLDERS: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];

/// Variables that would point Compose to another daemon; they are removed.
const FOREIGN: [&str; 6] = [
    "DOCKER_CONTEXT",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_HOST",
    "BUILDX_BUILDER",
];

/// The addresses of services by the names of their variables, such as `WEBAPP_IP`.
pub(super) type Variables = BTreeMap<String, Ipv4Addr>;

/// How Compose is called.
#[derive(Clone, Debug)]
pub(super) struct Compose {
    program: PathBuf,
    /// `compose`, if the program is Docker's client.
    first: Option<&'static str>,
}

/// The output of a Compose that failed.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) stderr: Vec<u8>,
    pub(super) code: Option<i32>,
}

/// A Compose that was started to print the model.
pub(super) struct Asked(Child);

/// How the files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// With every service, whatever its profiles.
    Whole,
    /// With the services of the chosen profiles.
    Chosen,
    /// With every service, but without values of variables.
    Uninterpolated,
}

impl Compose {
    /// Finds the plugin itself, because Docker's client takes as long to start as Compose does; without
    /// a plugin, that client.
    pub(super) fn find() -> Result<Self, Refusal> {
        let own = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
        let own = own.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".docker")));
        let plugin = own
            .map(|folder| folder.join("cli-plugins"))
            .into_iter()
            .chain(PLUGIN_FOLDERS.map(PathBuf::from))
            .map(|folder| folder.join("docker-compose"))
            .find(|path| is_program(path));
        if let Some(program) = plugin {
            return Ok(Self {
                program,
                first: None,
            });
        }
        let folders = env::var_os("PATH").unwrap_or_default();
        let docker = env::split_paths(&folders)
            .map(|folder| folder.join("docker"))
            .find(|path| is_program(path));
        let program = docker.ok_or_else(missing)?;
        Ok(Self {
            program,
            first: Some("compose"),
        })
    }

    /// The command that runs Compose for a repository, with the addresses of its services.
    fn command(&self, place: Option<&Place>, variables: &Variables) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.first);
        if let Some(place) = place {
            for name in FOREIGN {
                command.env_remove(name);
            }
            command
                .env("DOCKER_HOST", docker_host(&socket(place.id)))
                .current_dir(&place.project_dir)
                // Compose takes its folder from PWD before anything else.
                .env("PWD", &place.project_dir);
        }
        for (name, address) in variables {
            command.env(name, address.to_string());
        }
        command
    }

    /// Starts Compose to print the model of the files.
    pub(super) fn ask(
        &self,
        place: &Place,
        line: &Line,
        variables: &Variables,
        reading: Reading,
    ) -> Result<Asked, Refusal> {
        let mut command = self.command(Some(place), variables);
        match reading {
            Reading::Chosen => {
                command.args(line.global_words(&["--dry-run", "--verbose"]));
            }
            Reading::Whole | Reading::Uninterpolated => {
                command
                    .args(line.global_words(&["--dry-run", "--verbose", "--profile"]))
                    .args(["--profile", "*"]);
            }
        }
        command.args(["config", "--format", "json"]);
        if reading == Reading::Uninterpolated {
            command.arg("--no-interpolate");
        }
        command
            .stdin(Stdio::inherit())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map(Asked)
            .map_err(|error| self.unstartable(&error))
    }

    /// Executes Compose with the user's own words.
    pub(super) fn become_as_asked(
        &self,
        place: Option<&Place>,
        words: &[String],
        variables: &Variables,
    ) -> Refusal {
        let mut command = self.command(place, variables);
        self.unstartable(&command.args(words).exec())
    }

    /// Executes Compose with a model instead of the user's files.
    pub(super) fn become_with(
        &self,
        place: &Place,
        line: &Line,
        model: &Model,
        variables: &Variables,
    ) -> Refusal {
        // Only in memory: it contains passwords, and nobody would remove a file after Compose ends. The
        // descriptor stays open in Compose.
        let (_file, path) = match in_memory(model.text().as_bytes()) {
            Ok(file) => file,
            Err(error) => return Refusal::new(format!("cannot keep the model in memory: {error}")),
        };
        let mut command = self.command(Some(place), variables);
        let replaced = [
            "--file",
            "-f",
            "--project-directory",
            "--workdir",
            "--project-name",
            "-p",
        ];
        command
            .args(["--file", &path, "--project-name", model.project()])
            .arg("--project-directory")
            .arg(files::project_directory(place, line))
            .args(line.global_words(&replaced))
            .args(line.command_words());
        self.unstartable(&command.exec())
    }

    fn unstartable(&self, error: &io::Error) -> Refusal {
        Refusal::new(format!("cannot start {}: {error}", self.program.display()))
    }
}

impl Asked {
    /// Waits for the model and Compose's warnings.
    pub(super) fn answer(self) -> Result<(Model, Vec<u8>), Answerless> {
        let failed = |message: String| Answerless::Refusal(Refusal::new(message));
        let output = self
            .0
            .wait_with_output()
            .map_err(|error| failed(format!("cannot read the output of Compose: {error}")))?;
        if !output.status.success() {
            return Err(Answerless::Said(Said {
                stderr: output.stderr,
                code: output.status.code(),
            }));
        }
        let model = Model::parse(&String::from_utf8_lossy(&output.stdout))
            .map_err(|error| failed(format!("cannot understand Compose's model: {error}")))?;
        Ok((model, output.stderr))
    }
}

/// Why there is no model.
#[derive(Debug)]
pub(super) enum Answerless {
    /// Compose failed, and printed why.
    Said(Said),
    /// `renet` itself failed.
    Refusal(Refusal),
}

/// A file in memory, and the path by which this process and its children can read it.
pub(super) fn in_memory(text: &[u8]) -> io::Result<(File, String)> {
    // Without CLOEXEC, so that Compose can read it.
    let mut file = File::from(memfd_create("compose", MemfdFlags::empty())?);
    file.write_all(text)?;
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    Ok((file, path))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn missing() -> Refusal {
    Refusal::new("this machine has no Docker Compose").hint(
        "install it, on Ubuntu `apt-get install docker-compose-v2`, with Docker's own packages on \
         Debian, Ubuntu and Fedora `docker-compose-plugin`, on Fedora `dnf install docker-compose`",
    )
}
