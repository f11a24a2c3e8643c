//! The arguments of nearly every verb: which repository, on which machine.

use crate::cli::failure::{Exit, Failure};
use crate::context::Context;
use crate::context::value::MachineName;
use crate::repository::RepositoryName;

/// A repository of a machine.
#[derive(clap::Args, Debug)]
pub(super) struct Place {
    /// The repository
    #[arg(value_name = "REPOSITORY")]
    pub(super) name: RepositoryName,
    /// The machine; optional if the context has only one
    #[arg(long, short, value_name = "MACHINE")]
    machine: Option<MachineName>,
}

impl Place {
    /// The machine that was named, or else the only one of the context.
    pub(super) fn machine<'a>(&'a self, context: &'a Context) -> Result<&'a MachineName, Failure> {
        if let Some(name) = &self.machine {
            context.machine(name)?;
            return Ok(name);
        }
        let names: Vec<&MachineName> = context.machines.keys().collect();
        match names.as_slice() {
            [only] => Ok(only),
            [] => Err(Failure::new(
                Exit::Invalid,
                format!("the context `{}` has no machine yet", context.name),
            )
            .hint("run `rdc context add-machine NAME --ip ADDR --user USER` first")),
            names => {
                let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
                Err(Failure::new(
                    Exit::Invalid,
                    "no machine is named, and the context has several",
                )
                .hint(format!("name one with `-m`: {}", names.join(", "))))
            }
        }
    }
}
