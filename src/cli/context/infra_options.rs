//! The options of `set-infra`, as given and unchecked, and their check as a whole.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::ValueEnum;
use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::context::place::Place;
use crate::context::token;
use crate::context::value::{
    AcmeCaServer, FoundToken, InvalidValue, RepositoryQuota, TokenSource, find_token, host_ipv4,
    host_ipv6,
};
use crate::ownership::{Repository, RepositoryGrants};

use super::infra_change::{Change, Field, Problems};

/// What was given, unchecked: clap's own checks would report the first problem only.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Infrastructure")]
pub(crate) struct Given {
    /// The IPv4 address that the domain's A records name
    #[arg(long, value_name = "ADDR", allow_hyphen_values = true)]
    pub(crate) public_ipv4: Option<String>,
    /// The IPv6 address that the domain's AAAA records name
    #[arg(long, value_name = "ADDR", allow_hyphen_values = true)]
    pub(crate) public_ipv6: Option<String>,
    /// The domain under which containers get their automatic routes
    #[arg(long, value_name = "DOMAIN", allow_hyphen_values = true)]
    pub(crate) base_domain: Option<String>,
    /// The e-mail address of the ACME account
    #[arg(long, value_name = "EMAIL", allow_hyphen_values = true)]
    pub(crate) cert_email: Option<String>,
    /// Cloudflare's API token for DNS-01, or file:PATH, env:NAME, cmd:COMMAND to find it at a push
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true, value_parser = secret)]
    #[arg(conflicts_with = "cf_dns_token_file")]
    pub(crate) cf_dns_token: Option<SecretString>,
    /// The file that holds the token, read at each push; `-` stores what standard input gives
    #[arg(long, value_name = "FILE")]
    pub(crate) cf_dns_token_file: Option<String>,
    /// TCP ports to open beside the preconfigured ones, as 25,143,10100-10110
    #[arg(long, value_name = "PORTS", allow_hyphen_values = true)]
    pub(crate) tcp_ports: Option<String>,
    /// UDP ports to open beside the preconfigured ones
    #[arg(long, value_name = "PORTS", allow_hyphen_values = true)]
    pub(crate) udp_ports: Option<String>,
    /// The IPv4 address that Traefik binds, where it is not the public one
    #[arg(long, value_name = "ADDR", allow_hyphen_values = true)]
    pub(crate) bind_ipv4: Option<String>,
    /// The IPv6 address that Traefik binds, where it is not the public one
    #[arg(long, value_name = "ADDR", allow_hyphen_values = true)]
    pub(crate) bind_ipv6: Option<String>,
    /// The ACME directory, where not Let's Encrypt's
    #[arg(long, value_name = "URL", conflicts_with = "acme_staging")]
    pub(crate) acme_ca_server: Option<String>,
    /// Use Let's Encrypt's staging directory: untrusted certificates, wide limits
    #[arg(long)]
    pub(crate) acme_staging: bool,
    /// Whether the preconfigured ports are opened (databases, queues, DNS, 10000-10010)
    #[arg(long, value_name = "on|off", value_enum, hide_possible_values = true)]
    pub(crate) default_ports: Option<Switch>,
    /// Whether containers without `traefik.enable` get a route
    #[arg(long, value_name = "on|off", value_enum, hide_possible_values = true)]
    pub(crate) auto_routes: Option<Switch>,
    /// The Traefik that the machine shall run
    #[arg(long, value_name = "VERSION", allow_hyphen_values = true)]
    pub(crate) traefik_version: Option<String>,
    /// What belongs to a repository, as 2816=shop.example.com,*.example.org,tcp-25,10.0.0.0/24;
    /// repeatable. It replaces that repository's list, 2816= clears it, 2816=* is everything that
    /// nobody owns, and `host` stands for the daemons outside the socket folder
    #[arg(long = "owner", value_name = "ID=LIST", allow_hyphen_values = true)]
    pub(crate) owners: Vec<String>,
    /// How many times the usual a repository may cost others, as 2816=3; repeatable. 2816= goes
    /// back to the usual
    #[arg(long = "quota", value_name = "ID=FACTOR", allow_hyphen_values = true)]
    pub(crate) quotas: Vec<String>,
    /// Go back to the default of a field, which is named as its option; owners and quotas clear
    /// those of all repositories
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    pub(crate) unset: Vec<Field>,
}

/// A yes or no, by the words of the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Given {
    /// Whether there is nothing to change.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            public_ipv4,
            public_ipv6,
            base_domain,
            cert_email,
            cf_dns_token,
            cf_dns_token_file,
            tcp_ports,
            udp_ports,
            bind_ipv4,
            bind_ipv6,
            acme_ca_server,
            acme_staging,
            default_ports,
            auto_routes,
            traefik_version,
            owners,
            quotas,
            unset,
        } = self;
        let texts = [
            public_ipv4,
            public_ipv6,
            base_domain,
            cert_email,
            cf_dns_token_file,
            tcp_ports,
            udp_ports,
            bind_ipv4,
            bind_ipv6,
            acme_ca_server,
            traefik_version,
        ];
        texts.into_iter().all(Option::is_none)
            && cf_dns_token.is_none()
            && !acme_staging
            && default_ports.is_none()
            && auto_routes.is_none()
            && owners.is_empty()
            && quotas.is_empty()
            && unset.is_empty()
    }

    /// Whether a token itself stands on the command line.
    pub(crate) fn holds_literal_token(&self) -> bool {
        let source = self.cf_dns_token.as_ref();
        source
            .is_some_and(|text| matches!(text.expose_secret().parse(), Ok(TokenSource::Literal(_))))
    }

    /// Checks everything, and reports all that is wrong together.
    pub(crate) fn check(&self, session: &Session) -> Result<Change, Failure> {
        let mut problems = Problems::default();
        let cf_dns_token = match (&self.cf_dns_token, &self.cf_dns_token_file) {
            (Some(text), _) => problems.keep(Field::CfDnsToken, token_source(session, text)),
            (None, Some(file)) => problems.keep(Field::CfDnsToken, token_file(session, file)),
            (None, None) => None,
        };
        let acme_ca_server = if self.acme_staging {
            Some(AcmeCaServer::staging())
        } else {
            problems.parse(Field::AcmeCaServer, &self.acme_ca_server, str::parse)
        };
        let change = Change {
            public_ipv4: problems.parse(Field::PublicIpv4, &self.public_ipv4, host_ipv4),
            public_ipv6: problems.parse(Field::PublicIpv6, &self.public_ipv6, host_ipv6),
            bind_ipv4: problems.parse(Field::BindIpv4, &self.bind_ipv4, host_ipv4),
            bind_ipv6: problems.parse(Field::BindIpv6, &self.bind_ipv6, host_ipv6),
            base_domain: problems.parse(Field::BaseDomain, &self.base_domain, str::parse),
            cert_email: problems.parse(Field::CertEmail, &self.cert_email, str::parse),
            cf_dns_token,
            tcp_ports: problems.parse(Field::TcpPorts, &self.tcp_ports, str::parse),
            udp_ports: problems.parse(Field::UdpPorts, &self.udp_ports, str::parse),
            acme_ca_server,
            default_ports: self.default_ports.map(|switch| switch == Switch::On),
            auto_routes: self.auto_routes.map(|switch| switch == Switch::On),
            traefik_version: problems.parse(
                Field::TraefikVersion,
                &self.traefik_version,
                str::parse,
            ),
            owners: lists(&mut problems, Field::Owners, &self.owners, |text| {
                let list: RepositoryGrants = text.parse()?;
                Ok((list.repository, list))
            }),
            quotas: lists(&mut problems, Field::Quotas, &self.quotas, |text| {
                let quota: RepositoryQuota = text.parse()?;
                Ok((quota.repository, quota))
            }),
            unset: self.unset.clone(),
        };
        for field in &self.unset {
            if change.sets(*field) {
                problems.add(*field, "is given and unset at once", "one of both");
            }
        }
        problems.into_result().map(|()| change)
    }
}

/// What was given for each of some repositories. Of two lists for one of them, neither is the one
/// that replaces what is stored.
fn lists<T>(
    problems: &mut Problems,
    field: Field,
    given: &[String],
    parse: impl Fn(&str) -> Result<(Repository, T), InvalidValue>,
) -> Vec<T> {
    let mut repositories = BTreeSet::new();
    let mut parsed = Vec::new();
    for text in given {
        let Some((repository, one)) = problems.keep(field, parse(text)) else {
            continue;
        };
        if repositories.insert(repository) {
            parsed.push(one);
        } else {
            let problem = format!("{repository} is given twice");
            problems.add(
                field,
                &problem,
                "all of a repository at once, as ID=ONE,OTHER",
            );
        }
    }
    parsed
}

fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

/// A token or reference of the command line. The path of a file may be relative there, but not
/// in the context: a push may run in any folder.
fn token_source(session: &Session, text: &SecretString) -> Result<TokenSource, InvalidValue> {
    let text = text.expose_secret();
    if let Some(path) = text.trim().strip_prefix("file:") {
        return token_file_at(session, Path::new(path));
    }
    match text.parse()? {
        TokenSource::Literal(_) => Ok(literal(session, find_token(text)?)),
        reference => Ok(reference),
    }
}

fn token_file(session: &Session, file: &str) -> Result<TokenSource, InvalidValue> {
    if file != "-" {
        return token_file_at(session, Path::new(file));
    }
    if std::io::stdin().is_terminal() {
        session
            .output
            .note("reading the token from standard input; end it with Ctrl-D");
    }
    let found = token::of_standard_input();
    Ok(literal(session, found.map_err(|error| unusable(&error))?))
}

/// A file that holds a token, which is read once to be sure of it. What a push could not read
/// again is stored itself.
fn token_file_at(session: &Session, path: &Path) -> Result<TokenSource, InvalidValue> {
    let path = std::path::absolute(path).map_err(|error| unusable(&error))?;
    let source = TokenSource::File(path.clone());
    let shown = path.display();
    // Of a path that leads nowhere, the attempt to read it says so.
    let place = Place::of(&path).unwrap_or(Place::Lasting);
    let found = source.resolve_now().map_err(|error| unusable(&error))?;
    if place == Place::Fleeting {
        session.output.note(&format!(
            "{shown} cannot be read again at a push: the token itself is stored"
        ));
        return Ok(literal(session, found));
    }
    tell_wrapping(session, &found);
    if place == Place::Temporary {
        session.output.note(&format!(
            "{shown} lies in a folder for temporary files: each push needs it"
        ));
    }
    let exposed = |found: std::fs::Metadata| found.permissions().mode() & 0o044 != 0;
    if std::fs::metadata(&path).is_ok_and(exposed) {
        session.output.warn(&format!(
            "others on this workstation can read {shown}: run `chmod 600` on it"
        ));
    }
    Ok(source)
}

/// The token itself, without what it was taken out of.
fn literal(session: &Session, found: FoundToken) -> TokenSource {
    tell_wrapping(session, &found);
    TokenSource::Literal(found.token)
}

/// Tells what a token was taken out of: somebody may have meant another part.
pub(crate) fn tell_wrapping(session: &Session, found: &FoundToken) {
    if let Some(wrapping) = &found.wrapping {
        session
            .output
            .note(&format!("took the Cloudflare token out of {wrapping}"));
    }
}

fn unusable(error: &dyn std::error::Error) -> InvalidValue {
    InvalidValue::new(
        Failure::caused(Exit::Invalid, error).message,
        "a Cloudflare API token, or a file that holds it",
    )
}
