//! `rdc context create-local`: a new context, without machines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::context::Context;
use crate::context::place::Place;
use crate::context::value::ContextName;

#[derive(clap::Args, Debug)]
pub(crate) struct CreateLocal {
    /// The context's name; `default` is the one that commands use unless told otherwise
    #[arg(value_name = "NAME")]
    name: ContextName,
    /// The private key that SSH logs in with
    #[arg(long, value_name = "PATH")]
    ssh_key: PathBuf,
    /// The `renet` to bring to the machines, where not the one beside `rdc`
    #[arg(long, value_name = "PATH")]
    renet_path: Option<PathBuf>,
}

impl CreateLocal {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = Context {
            name: self.name,
            ssh_key: existing_file("--ssh-key", &self.ssh_key)?,
            renet_path: match &self.renet_path {
                Some(path) => Some(existing_file("--renet-path", path)?),
                None => None,
            },
            machines: BTreeMap::new(),
        };
        session.store.create(&context)?;
        session.output.result(&context, || {
            format!(
                "created the context {} in {}",
                context.name,
                session.store.path(&context.name).display()
            )
        });
        session
            .output
            .note("next: `rdc context add-machine NAME --ip ADDR --user USER`");
        Ok(Exit::Done)
    }
}

/// The absolute path of a file that is there: later commands run in other folders.
fn existing_file(option: &str, path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path).context("cannot tell the current folder")?;
    match std::fs::metadata(&absolute) {
        Ok(found) if found.is_file() => match Place::of(&absolute) {
            Ok(Place::Fleeting) => Err(Failure::new(
                Exit::Invalid,
                format!(
                    "{option}: `{}` is another file to the next command",
                    path.display()
                ),
            )
            .hint("give the path of a file that stays")),
            _ => Ok(absolute),
        },
        Ok(_) => Err(Failure::new(
            Exit::Invalid,
            format!("{option}: `{}` is not a file", path.display()),
        )),
        Err(error) => Err(Failure::new(
            Exit::Invalid,
            format!("{option}: cannot find `{}`: {error}", path.display()),
        )),
    }
}
