//! The questions of `set-infra` on a terminal: what is stored stands there to be edited, and a
//! field that is emptied is unset.

use dialoguer::{Input, Password};

use crate::cli::failure::Failure;
use crate::cli::prompt;
use crate::context::Infra;
use crate::context::value::{
    BaseDomain, CertEmail, InvalidValue, Owners, PortList, TokenSource, host_ipv4, host_ipv6,
};
use crate::ownership::RepositoryGrants;

use super::infra_change::Field;
use super::infra_options::{Given, Switch};

/// Asks for what most machines need, and fills in what was changed.
pub(crate) fn ask(stored: &Infra, given: &mut Given) -> Result<(), Failure> {
    let shown = |value: Option<String>| value.unwrap_or_default();
    let mut unset = Vec::new();
    let mut edit = |field, question, stored: String, check: Check| {
        let answer = line(question, &stored, check)?;
        if answer.is_empty() && !stored.is_empty() {
            unset.push(field);
        }
        Ok::<_, Failure>((!answer.is_empty() && answer != stored).then_some(answer))
    };
    given.public_ipv4 = edit(
        Field::PublicIpv4,
        "public IPv4 address",
        shown(stored.public_ipv4.map(|a| a.to_string())),
        |text| host_ipv4(text).map(drop),
    )?;
    given.public_ipv6 = edit(
        Field::PublicIpv6,
        "public IPv6 address",
        shown(stored.public_ipv6.map(|a| a.to_string())),
        |text| host_ipv6(text).map(drop),
    )?;
    given.base_domain = edit(
        Field::BaseDomain,
        "base domain",
        shown(stored.base_domain.as_ref().map(ToString::to_string)),
        |text| text.parse::<BaseDomain>().map(drop),
    )?;
    given.cert_email = edit(
        Field::CertEmail,
        "e-mail address for certificates",
        shown(stored.cert_email.as_ref().map(ToString::to_string)),
        |text| text.parse::<CertEmail>().map(drop),
    )?;
    given.tcp_ports = edit(
        Field::TcpPorts,
        "further TCP ports",
        stored.tcp_ports.to_string(),
        |text| text.parse::<PortList>().map(drop),
    )?;
    given.udp_ports = edit(
        Field::UdpPorts,
        "further UDP ports",
        stored.udp_ports.to_string(),
        |text| text.parse::<PortList>().map(drop),
    )?;
    let stored_owners = stored.owners.to_string();
    let owners = line(
        "what belongs to which repository, as 2816=shop.example.com,tcp-25 2880=…",
        &stored_owners,
        |text| owners(text).map(drop),
    )?;
    if owners != stored_owners {
        // All of them stand in the line: what is not in it any more is taken back.
        unset.push(Field::Owners);
        given.owners = owners.split_whitespace().map(str::to_owned).collect();
    }
    given.unset = unset;
    given.cf_dns_token = token(stored.cf_dns_token.as_ref())?.map(Into::into);
    let question = "automatic routes for containers without traefik labels";
    let auto_routes = prompt::confirm(question, stored.auto_routes)?;
    // Always given: an interview that changes nothing is still an answer.
    given.auto_routes = Some(if auto_routes { Switch::On } else { Switch::Off });
    Ok(())
}

/// Reads the lists of several repositories.
fn owners(text: &str) -> Result<Owners, InvalidValue> {
    let lists = text
        .split_whitespace()
        .map(|list| Ok(list.parse::<RepositoryGrants>()?));
    Owners::default().with(lists.collect::<Result<_, InvalidValue>>()?)
}

type Check = fn(&str) -> Result<(), InvalidValue>;

fn line(question: &str, stored: &str, check: Check) -> Result<String, Failure> {
    let (question, stored) = (question.to_owned(), stored.to_owned());
    let answer: String = prompt::answered(move || {
        Input::new()
            .with_prompt(question)
            .with_initial_text(stored)
            .allow_empty(true)
            .validate_with(|text: &String| match text.trim() {
                "" => Ok(()),
                text => check(text).map_err(|error| format!("{error}; give {}", error.valid())),
            })
            .interact_text()
    })?;
    Ok(answer.trim().to_owned())
}

fn token(stored: Option<&TokenSource>) -> Result<Option<String>, Failure> {
    let question = match stored {
        Some(stored) => format!("Cloudflare API token (empty keeps {stored})"),
        None => "Cloudflare API token (empty for none)".to_owned(),
    };
    let answer = prompt::answered(|| {
        Password::new()
            .with_prompt(question)
            .allow_empty_password(true)
            .validate_with(|text: &String| match text.trim() {
                "" => Ok(()),
                // A reference may be relative here; it is checked when all is.
                text if text.starts_with("file:") => Ok(()),
                text => text.parse::<TokenSource>().map(drop),
            })
            .interact()
    })?;
    Ok((!answer.trim().is_empty()).then_some(answer))
}
