//! `rdc context set-infra`: declares a machine's addresses, domain, certificates and ports.
//!
//! An option that is not given keeps its value. Everything is checked before anything is stored,
//! and all that is wrong is reported at once.

use crate::cli::failure::{Exit, Failure};
use crate::cli::prompt;
use crate::cli::session::Session;
use crate::context::value::{MachineName, PortList};
use crate::context::{Infra, Reach};
use crate::ownership::Grant;
use crate::remote::login_port;
use crate::render::has_entrypoint;

use super::infra_options::Given;
use super::infra_table::infra_table;
use super::interview;

#[derive(clap::Args, Debug)]
pub(crate) struct SetInfra {
    /// The machine
    #[arg(value_name = "MACHINE")]
    machine: MachineName,
    #[command(flatten)]
    given: Given,
}

impl SetInfra {
    pub(crate) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Self { machine, mut given } = self;
        let context = session.load()?;
        let declared = context.machine(&machine)?;
        let stored = declared.infra.clone();
        let asked = given.is_empty();
        if asked {
            if !prompt::can_ask(session) {
                return Err(
                    Failure::new(Exit::Invalid, format!("nothing to set for {machine}")).hint(
                        "give --public-ipv4, --public-ipv6, --base-domain, --cert-email, \
                     --cf-dns-token-file, --tcp-ports, --udp-ports or --unset; \
                     `rdc help context set-infra` lists all",
                    ),
                );
            }
            session.output.note(&format!(
                "{machine}: leave a line empty for none; Ctrl-C changes nothing"
            ));
            interview::ask(&stored.unwrap_or_default(), &mut given)?;
        }
        let open_argument = !asked && given.holds_literal_token();
        let change = given.check(session)?;
        if let Some(ports) = &change.tcp_ports {
            leave_the_way_in(&machine, &declared.reach, ports)?;
        }
        let infra = session.edit(|context| {
            let machine = context.machine_mut(&machine)?;
            let infra = machine.infra.get_or_insert_default();
            change.apply(infra)?;
            Ok(infra.clone())
        })?;
        // Said only now: before, the token might not have been stored at all.
        if open_argument {
            session.output.warn(
                "others on this workstation can see a token on the command line while it runs, \
                 and the shell's history keeps it; better --cf-dns-token-file",
            );
        }
        let answer = serde_json::json!({ "machine": machine, "infra": infra });
        session
            .output
            .result(&answer, || infra_table(&session.output, &machine, &infra));
        for warning in closed_ports(&machine, &infra) {
            session.output.warn(&warning);
        }
        session.output.note(&next(&machine, &infra));
        Ok(Exit::Done)
    }
}

/// Tells which ports were granted that nothing listens on.
fn closed_ports(machine: &MachineName, infra: &Infra) -> Vec<String> {
    let mut warnings = Vec::new();
    for (repository, grants) in infra.owners.iter() {
        for grant in grants {
            let Grant::Port(listener) = grant else {
                continue;
            };
            if has_entrypoint(infra, *listener) {
                continue;
            }
            let (option, listed) = match listener.is_udp() {
                true => ("--udp-ports", &infra.udp_ports),
                false => ("--tcp-ports", &infra.tcp_ports),
            };
            let mut ports = listener.port().to_string();
            if !listed.is_empty() {
                // The option replaces the list.
                ports = format!("{listed},{ports}");
            }
            warnings.push(format!(
                "{grant} belongs to {repository}, and is not open: run `rdc context set-infra \
                 {machine} {option} {ports}`"
            ));
        }
    }
    warnings
}

/// Refuses the port by which the machine is logged in to: Traefik cannot have it beside the SSH
/// server, and whoever made room for it there would be locked out.
fn leave_the_way_in(machine: &MachineName, reach: &Reach, ports: &PortList) -> Result<(), Failure> {
    match login_port(reach) {
        Some(port) if ports.iter().any(|listed| listed == port) => Err(Failure::new(
            Exit::Invalid,
            format!("--tcp-ports: port {port} is the one by which SSH logs in to {machine}"),
        )
        .hint(format!(
            "give the list without {port}; to have Traefik serve that port, have SSH log in at another \
             one first"
        ))),
        _ => Ok(()),
    }
}

/// The next command.
fn next(machine: &MachineName, infra: &Infra) -> String {
    if infra.public_ipv4.is_none() && infra.public_ipv6.is_none() {
        format!("next: `rdc context set-infra {machine} --public-ipv4 ADDR`")
    } else if infra.cf_dns_token.is_some() && infra.cert_email.is_none() {
        format!("next: `rdc context set-infra {machine} --cert-email EMAIL`, for certificates")
    } else {
        format!("next: `rdc context push-infra {machine}`")
    }
}
