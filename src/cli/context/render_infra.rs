//! `rdc context render-infra`: the files that a push would write, without a machine.

use std::fs;
use std::path::PathBuf;

use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::context::value::MachineName;
use crate::context::{Context, Infra};
use crate::render::{RenderError, binds, render};

#[derive(clap::Args, Debug)]
pub(crate) struct RenderInfra {
    /// The machine whose files to write
    #[arg(value_name = "MACHINE")]
    machine: MachineName,
    /// The folder to write them to; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl RenderInfra {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let context = session.load()?;
        let infra = infra(&context, &self.machine)?;
        let files = render(infra, &binds(infra), infra.cf_dns_token.is_some())
            .map_err(|error| unrenderable(&self.machine, &error))?;
        let cannot = |error: &std::io::Error| {
            Failure::new(
                Exit::Failed,
                format!("cannot write to `{}`: {error}", self.out.display()),
            )
        };
        fs::create_dir_all(&self.out).map_err(|error| cannot(&error))?;
        for (name, content) in &files {
            fs::write(self.out.join(name), content).map_err(|error| cannot(&error))?;
        }
        let paths: Vec<_> = files.keys().map(|name| self.out.join(name)).collect();
        session
            .output
            .result(&serde_json::json!({ "files": paths }), || {
                paths
                    .iter()
                    .map(|path| format!("{}\n", path.display()))
                    .collect()
            });
        if infra.cf_dns_token.is_some() {
            session
                .output
                .note("the Cloudflare token is left out: only a push writes it");
        }
        Ok(Exit::Done)
    }
}

/// What was declared of a machine.
pub(super) fn infra<'a>(context: &'a Context, name: &MachineName) -> Result<&'a Infra, Failure> {
    context
        .machine(name)?
        .infra
        .as_ref()
        .ok_or_else(|| Failure::no_infra(name))
}

/// What was declared does not suffice.
pub(super) fn unrenderable(name: &MachineName, error: &RenderError) -> Failure {
    let failure = Failure::new(Exit::Invalid, format!("machine `{name}`: {error}"));
    match error.missing_options() {
        Some(options) => failure.hint(format!("run `rdc context set-infra {name} {options}`")),
        None => failure,
    }
}
