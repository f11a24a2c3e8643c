//! `renet route-server owners` and `release`: who owns which name and port, and how one is freed.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::runtime;

use super::control::{self, Answer};
use super::explain::Server;
use super::ownership::{Owned, OwnerListing};
use crate::{layout, stdout};

/// The arguments of `renet route-server owners`.
#[derive(Clone, Debug, Args)]
pub struct Owners {
    /// The running route server
    #[arg(long, value_name = "URL", default_value_t = format!("http://{}", layout::ROUTE_SERVER))]
    pub url: String,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `renet route-server release`.
#[derive(Clone, Debug, Args)]
pub struct Release {
    /// A host name, or a port as tcp-25
    #[arg(value_name = "NAME|PORT")]
    pub resource: String,

    /// The state folder of the running route server
    #[arg(
        long,
        env = "REDIACC_STATE_DIR",
        value_name = "DIR",
        default_value = layout::ROUTER_STATE_DIR
    )]
    pub state_dir: PathBuf,
}

/// Runs `owners`.
pub fn list(owners: &Owners) -> anyhow::Result<()> {
    let Owners { url, json } = owners;
    let server: Server = url.parse()?;
    let listing: OwnerListing = server.get("/owners")?;
    let text = match json {
        true => serde_json::to_string_pretty(&listing)? + "\n",
        false => text(&listing),
    };
    stdout::write(&text)?;
    Ok(())
}

/// Runs `release`.
pub fn release(release: &Release) -> anyhow::Result<()> {
    let Release {
        resource,
        state_dir,
    } = release;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let answer = runtime
        .block_on(control::release(state_dir, resource))
        .with_context(|| {
            format!(
                "cannot ask the route server of {}\nhint: run it as root, and `systemctl status \
                 rediacc-router.service` to see whether it runs",
                state_dir.display()
            )
        })?;
    match answer {
        Answer::Invalid(problem) => bail!("{problem}"),
        Answer::Released(owners) if owners.is_empty() => bail!(
            "nobody has taken `{resource}`\nhint: `renet route-server owners` lists what is owned; \
             a grant is taken back with rdc context set-infra MACHINE --owner ID=LIST"
        ),
        Answer::Released(owners) => {
            let owners: Vec<_> = owners.iter().map(ToString::to_string).collect();
            stdout::write(&format!(
                "`{resource}` is free: repository {} had it. The eldest container that asks for \
                 it has it now.\n",
                owners.join(", ")
            ))?;
            Ok(())
        }
    }
}

/// The columns of the table.
const HEADINGS: [&str; 5] = ["RESOURCE", "OWNER", "WHY", "SINCE", "LAST SEEN"];

fn text(listing: &OwnerListing) -> String {
    let OwnerListing { owners, rejected } = listing;
    let rows = owners.iter().map(row);
    let rows: Vec<[String; 5]> = std::iter::once(HEADINGS.map(str::to_owned))
        .chain(rows)
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().enumerate();
        let cells = cells.map(|(column, cell)| format!("{cell:<0$}", width(column)));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    for one in rejected {
        text += &format!(
            "\nrejected: router {} of container {}, repository {}\n  {}\n  hint: {}\n",
            one.router, one.container, one.repository, one.reason, one.hint
        );
    }
    text
}

fn row(owned: &Owned) -> [String; 5] {
    let Owned {
        resource,
        owner,
        by,
        since,
        last_seen,
        rejected: _,
    } = owned;
    let moment = |moment: &Option<String>| moment.clone().unwrap_or_else(|| "-".to_owned());
    [
        resource.clone(),
        owner.clone(),
        by.to_string(),
        moment(since),
        moment(last_seen),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route_server::ownership::{Rejected, Title};

    #[test]
    fn owners_are_a_table_and_the_rejected_follow_with_the_way_out() {
        let owned = |resource: &str, owner: &str, by, since: Option<&str>| Owned {
            resource: resource.to_owned(),
            owner: owner.to_owned(),
            by,
            since: since.map(str::to_owned),
            last_seen: since.map(str::to_owned),
            rejected: Vec::new(),
        };
        let listing = OwnerListing {
            owners: vec![
                owned("*.example.org", "2816", Title::Granted, None),
                owned("tcp-25", "2880", Title::Taken, Some("2026-01-02T03:04:05Z")),
            ],
            rejected: vec![Rejected {
                resource: Some("tcp-25".to_owned()),
                repository: "2944".to_owned(),
                container: "mail".to_owned(),
                router: "smtp-2944".to_owned(),
                reason: "`tcp-25` belongs to the repository 2880".to_owned(),
                hint: "run …".to_owned(),
            }],
        };
        assert_eq!(
            text(&listing),
            "RESOURCE       OWNER  WHY      SINCE                 LAST SEEN\n\
             *.example.org  2816   granted  -                     -\n\
             tcp-25         2880   taken    2026-01-02T03:04:05Z  2026-01-02T03:04:05Z\n\
             \n\
             rejected: router smtp-2944 of container mail, repository 2944\n  \
               `tcp-25` belongs to the repository 2880\n  \
               hint: run …\n"
        );
    }
}
