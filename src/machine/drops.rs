//! What a plan takes away from those who depend on it. Pure: it is told from the two generations,
//! as the files of the live one are now.

use std::collections::BTreeSet;

use super::generation::Generation;
use crate::bundle::Dropped;
use crate::layout;

/// What the live generation has and the wanted one has not.
pub(super) fn drops(live: &Generation, wanted: &Generation) -> Vec<Dropped> {
    let (before, after) = (all(live), all(wanted));
    before.difference(&after).cloned().collect()
}

fn all(generation: &Generation) -> BTreeSet<Dropped> {
    let text = |name| String::from_utf8_lossy(generation.file(name).unwrap_or_default());
    let domains = text(layout::ROUTER_ENV)
        .lines()
        .filter_map(|line| line.trim().strip_prefix("BASE_DOMAIN="))
        .filter(|domain| !domain.is_empty())
        .map(|domain| Dropped::Domain(domain.to_owned()))
        .collect::<Vec<_>>();
    let accounts = accounts(&text(layout::TRAEFIK_YML));
    let token = generation.file(layout::CF_DNS_TOKEN);
    let binds = generation.binds();
    let addresses = binds.iter().map(|bind| Dropped::Address(bind.address));
    domains
        .into_iter()
        .chain(accounts)
        .chain(token.map(|_| Dropped::CloudflareToken))
        .chain(addresses)
        .collect()
}

/// The ACME accounts of a static configuration, each by its address, and by its certificate
/// authority where that is not the usual one.
fn accounts(traefik_yml: &str) -> Vec<Dropped> {
    let mut accounts: Vec<(String, Option<String>)> = Vec::new();
    for line in traefik_yml.lines() {
        let Some((key, value)) = line.trim().split_once(':') else {
            continue;
        };
        // As it is rendered; somebody may have written it without quotes.
        let value = value.trim();
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.to_owned());
        match (key, accounts.last_mut()) {
            ("acme", _) => accounts.push((String::new(), None)),
            ("email", Some((email, _))) => *email = value,
            ("caServer", Some((_, ca_server))) => *ca_server = Some(value),
            _ => {}
        }
    }
    accounts
        .into_iter()
        .map(|(email, ca_server)| {
            Dropped::CertificateAccount(match ca_server {
                Some(ca_server) => format!("{email} at {ca_server}"),
                None => email,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::bundle::Token;
    use crate::context::Infra;
    use crate::render::{binds, render};

    /// The generation of options as they stand in a context.
    fn generation(infra: &str) -> Generation {
        let infra: Infra = toml_edit::de::from_str(infra).expect("an infra");
        let binds = binds(&infra);
        let token = infra.cf_dns_token.is_some().then(|| Token("s3cret".into()));
        let files = render(&infra, &binds, token.is_some()).expect("it renders");
        let program = Path::new("/p");
        Generation::of(files, token.as_ref(), &binds, program, program).expect("a generation")
    }

    #[test]
    fn what_goes_is_named_and_what_comes_is_not() {
        let full = "public_ipv4 = '203.0.113.50'\npublic_ipv6 = '2001:db8::1'\n\
                    base_domain = 'example.com'\ncert_email = 'a@example.com'\n\
                    cf_dns_token = 'x'\ntcp_ports = [25]\n";
        let without = |key: &str| -> String {
            let lines = full.lines().filter(|line| !line.starts_with(key));
            lines.map(|line| format!("{line}\n")).collect()
        };
        let staging = "acme_ca_server = 'https://ca.example/dir'\n";
        for (before, after, expected) in [
            (full.to_owned(), full.to_owned(), &[] as &[&str]),
            (full.to_owned(), without("tcp_ports"), &[]),
            (without("base_domain"), full.to_owned(), &[]),
            (without("cf_dns_token"), full.to_owned(), &[]),
            (
                full.to_owned(),
                without("base_domain"),
                &["the domain example.com"],
            ),
            (
                full.to_owned(),
                full.replace("'example.com'", "'example.org'"),
                &["the domain example.com"],
            ),
            (
                full.to_owned(),
                full.replace("a@", "b@"),
                &["the certificate account a@example.com"],
            ),
            (
                format!("{full}{staging}"),
                full.to_owned(),
                &["the certificate account a@example.com at https://ca.example/dir"],
            ),
            (
                full.to_owned(),
                without("cf_dns_token"),
                &["the Cloudflare token"],
            ),
            (
                full.to_owned(),
                without("c"),
                &[
                    "the certificate account a@example.com",
                    "the Cloudflare token",
                ],
            ),
            (
                full.to_owned(),
                without("public_ipv6"),
                &["the address 2001:db8::1"],
            ),
            (
                full.to_owned(),
                full.replace("113.50", "113.51"),
                &["the address 203.0.113.50"],
            ),
        ] {
            let dropped = drops(&generation(&before), &generation(&after));
            let told: Vec<String> = dropped.iter().map(ToString::to_string).collect();
            assert_eq!(told, expected, "from\n{before}to\n{after}");
        }
    }
}
