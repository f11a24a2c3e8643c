//! A machine's infra as people read it. A literal token is shown as `***`.

use crate::cli::output::{Output, Paint};
use crate::cli::table::fields;
use crate::context::Infra;
use crate::context::value::{MachineName, PortList};

/// What is declared of one machine, one line a field; what is not declared has none.
pub(crate) fn infra_table(output: &Output, machine: &MachineName, infra: &Infra) -> String {
    let Infra {
        public_ipv4,
        public_ipv6,
        bind_ipv4,
        bind_ipv6,
        base_domain,
        cert_email,
        cf_dns_token,
        tcp_ports,
        udp_ports,
        acme_ca_server,
        default_ports,
        auto_routes,
        traefik_version,
        owners,
        quotas,
    } = infra;
    let ports = |ports: &PortList| (!ports.is_empty()).then(|| spaced(&ports.to_string()));
    let rows = [
        ("public-ipv4", text(public_ipv4)),
        ("public-ipv6", text(public_ipv6)),
        ("bind-ipv4", text(bind_ipv4)),
        ("bind-ipv6", text(bind_ipv6)),
        ("base-domain", text(base_domain)),
        ("cert-email", text(cert_email)),
        ("cf-dns-token", text(cf_dns_token)),
        ("acme-ca-server", text(acme_ca_server)),
        ("tcp-ports", ports(tcp_ports)),
        ("udp-ports", ports(udp_ports)),
        ("default-ports", Some(on_off(*default_ports))),
        ("auto-routes", Some(on_off(*auto_routes))),
        ("traefik-version", text(traefik_version)),
    ];
    let mut rows: Vec<(&str, String)> = rows
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    rows.extend(
        owners
            .lists()
            .map(|list| ("owner", spaced(&list.to_string()))),
    );
    rows.extend(
        quotas
            .iter()
            .map(|(repository, quota)| ("quota", format!("{repository}={quota}"))),
    );
    rows.extend(owners.shared_hosts().into_iter().map(|(host, owners)| {
        let owners: Vec<String> = owners.iter().map(ToString::to_string).collect();
        ("shared by path", format!("{host}: {}", owners.join(", ")))
    }));
    let heading = output.paint(Paint::Bold, machine.as_str());
    format!("{heading}\n{}", fields(output, &rows))
}

fn text<T: ToString>(value: &Option<T>) -> Option<String> {
    value.as_ref().map(ToString::to_string)
}

/// A list with room between its items.
fn spaced(list: &str) -> String {
    list.replace(',', ", ")
}

fn on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}
