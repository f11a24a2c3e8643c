//! Compose's commands: what `renet` has to prepare for each, and how to read its words. Pure.
//!
//! Source: `docker compose --help` and that of each command, Compose 2.40.

/// What a command of Compose needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: it does not concern a project.
    Nothing,
    /// The daemon and the variables: it acts on existing containers.
    Environment,
    /// The model with our additions: it makes containers or images, or shows the model.
    Model,
}

/// Which of a command's words name services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// None.
    Nothing,
    /// Each.
    Each,
    /// The first; the words after it are not Compose's.
    First,
    /// The first; options may follow it.
    One,
    /// Each, as `SERVICE=NUMBER`.
    Scales,
}

/// A command of Compose.
#[derive(Debug)]
pub(super) struct Command {
    name: &'static str,
    pub(super) need: Need,
    pub(super) names: Names,
    /// Its options that take a value.
    pub(super) valued: &'static [&'static str],
}

/// Compose's own options that take a value.
pub(super) const GLOBAL_VALUED: &[&str] = &[
    "--ansi",
    "--env-file",
    "--file",
    "-f",
    "--parallel",
    "--profile",
    "--progress",
    "--project-directory",
    "--project-name",
    "-p",
    "--workdir",
];

/// Names of the option for a file.
pub(super) const FILE: &[&str] = &["--file", "-f"];

const fn command(
    name: &'static str,
    need: Need,
    names: Names,
    valued: &'static [&'static str],
) -> Command {
    Command {
        name,
        need,
        names,
        valued,
    }
}

/// All known commands. Any other one gets the model, and its words are left alone.
const COMMANDS: &[Command] = &{
    use Names::{Each, First, Nothing, One, Scales};
    use Need::{Environment, Model};
    [
        command("attach", Environment, One, &["--detach-keys", "--index"]),
        command(
            "build",
            Model,
            Each,
            &[
                "--build-arg",
                "--builder",
                "--memory",
                "-m",
                "--progress",
                "--provenance",
                "--sbom",
                "--ssh",
            ],
        ),
        command(
            "commit",
            Environment,
            One,
            &[
                "--author",
                "-a",
                "--change",
                "-c",
                "--index",
                "--message",
                "-m",
            ],
        ),
        command(
            "config",
            Model,
            Each,
            &["--format", "--hash", "--output", "-o"],
        ),
        command(
            "convert",
            Model,
            Each,
            &["--format", "--hash", "--output", "-o"],
        ),
        command("cp", Environment, Nothing, &["--index"]),
        command("create", Model, Each, &["--pull", "--scale"]),
        command("down", Environment, Each, &["--rmi", "--timeout", "-t"]),
        command("events", Environment, Each, &["--since", "--until"]),
        command(
            "exec",
            Environment,
            First,
            &["--env", "-e", "--index", "--user", "-u", "--workdir", "-w"],
        ),
        command("export", Environment, One, &["--index", "--output", "-o"]),
        command("help", Need::Nothing, Nothing, &[]),
        command("images", Environment, Each, &["--format"]),
        command("kill", Environment, Each, &["--signal", "-s"]),
        command(
            "logs",
            Environment,
            Each,
            &["--index", "--since", "--tail", "-n", "--until"],
        ),
        command("ls", Environment, Nothing, &["--filter", "--format"]),
        command("pause", Environment, Each, &[]),
        command("port", Environment, First, &["--index", "--protocol"]),
        command(
            "ps",
            Environment,
            Each,
            &["--filter", "--format", "--status"],
        ),
        command("publish", Environment, Nothing, &["--oci-version"]),
        command("pull", Model, Each, &["--policy"]),
        command("push", Model, Each, &[]),
        command("restart", Environment, Each, &["--timeout", "-t"]),
        command("rm", Environment, Each, &[]),
        command(
            "run",
            Model,
            First,
            &[
                "--cap-add",
                "--cap-drop",
                "--entrypoint",
                "--env",
                "-e",
                "--env-from-file",
                "--label",
                "-l",
                "--name",
                "--publish",
                "-p",
                "--pull",
                "--user",
                "-u",
                "--volume",
                "-v",
                "--workdir",
                "-w",
            ],
        ),
        command("scale", Model, Scales, &[]),
        command("start", Environment, Each, &["--wait-timeout"]),
        command("stats", Environment, Each, &["--format"]),
        command("stop", Environment, Each, &["--timeout", "-t"]),
        command("top", Environment, Each, &[]),
        command("unpause", Environment, Each, &[]),
        command(
            "up",
            Model,
            Each,
            &[
                "--attach",
                "--exit-code-from",
                "--no-attach",
                "--pull",
                "--scale",
                "--timeout",
                "-t",
                "--wait-timeout",
            ],
        ),
        command("version", Need::Nothing, Nothing, &["--format", "-f"]),
        command("volumes", Environment, Each, &["--format"]),
        command("wait", Environment, Each, &[]),
        command("watch", Model, Each, &[]),
    ]
};

/// A command by its name.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}
